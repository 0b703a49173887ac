// Directories that campaigns make, on the file system of the user.
#ifndef VARVE_TORTURE_DIRECTORIES_H_
#define VARVE_TORTURE_DIRECTORIES_H_

#include <string>

#include "varve/status.h"

namespace varve::torture {

// Makes `dir` an empty directory; what it held, files and directories of files, is gone.
Status MakeEmpty(const std::string& dir);
// Removes it with all that is in it. OK when it is not there.
Status RemoveTree(const std::string& dir);
// Of a text file, such as a log of a process that was killed; words that say so when there is none.
std::string LastLineOf(const std::string& path);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_DIRECTORIES_H_
