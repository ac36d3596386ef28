/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside support: the library of matrix products. */
#ifndef FARE_BLAS_H
#define FARE_BLAS_H

/* Holds BLAS to one thread and to kernels that fit the processor; before anything is multiplied. */
void fare_prepare_blas(void);

#endif
