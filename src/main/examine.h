// What 'varve doctor' sees of the machine.
#ifndef VARVE_MAIN_EXAMINE_H_
#define VARVE_MAIN_EXAMINE_H_

#include <string>

#include "cli/doctor.h"

namespace varve {

// Takes about two seconds at most. kNotFound: there is no such directory; kIoError: it cannot be written, or
// a sync failed.
Result<cli::MachineFacts> ExamineMachine(const std::string& dir);

}  // namespace varve

#endif  // VARVE_MAIN_EXAMINE_H_
