// Keeps the support library non-empty on its own.
#include "tests/support/status_matchers.h"
