// The stores that tests open are those of the campaigns (torture/store_options.h).
#ifndef VARVE_TESTS_SUPPORT_STORE_OPTIONS_H_
#define VARVE_TESTS_SUPPORT_STORE_OPTIONS_H_

#include "torture/store_options.h"

namespace varve::test {

using torture::OpenerFor;
using torture::RandomStoreConfig;
using torture::SmallStoreConfig;
using torture::StoreConfig;
using torture::StoreOpener;

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_STORE_OPTIONS_H_
