// Everything a program needs to use varve as a library.
//
//   #include <varve/varve.h>
//   auto db = varve::Db::Open("data");
//   if (!db.ok()) return fail(db.status().ToString());
//   (*db)->Put("key", "value");
//
// Keys and values of C++ types: varve/typed_db.h.
#ifndef VARVE_VARVE_H_
#define VARVE_VARVE_H_

#include "varve/async.h"
#include "varve/backup.h"
#include "varve/db.h"
#include "varve/iterator.h"
#include "varve/namespace.h"
#include "varve/options.h"
#include "varve/pinned_value.h"
#include "varve/snapshot.h"
#include "varve/statistics.h"
#include "varve/status.h"
#include "varve/transaction.h"
#include "varve/version.h"
#include "varve/write_batch.h"

#endif  // VARVE_VARVE_H_
