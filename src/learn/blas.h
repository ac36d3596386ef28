/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FARE_LEARN_BLAS_H
#define FARE_LEARN_BLAS_H

/* Warns, once, where the BLAS in use is a slow one. Not collective. */
void fare_learn_check_blas(void);

#endif
