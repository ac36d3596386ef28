/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside support: the line of a rank that crashes. */
#ifndef FARE_CRASH_H
#define FARE_CRASH_H

#include <fare/support.h>

/*
  Signals of a crash get a line from now on; they end the rank as they would have. Not with
  -no_signal_handler.
*/
PetscErrorCode fare_crash_listen(void);
/* What fare_doing was told last, or "". */
const char *fare_crash_doing(void);

#endif
