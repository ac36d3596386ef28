# SPDX-License-Identifier: BSD-2-Clause
# Warnings and sanitizers, for our own targets only.
add_library(fare_warnings INTERFACE)
target_compile_options(fare_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $<$<BOOL:${FARE_WERROR}>:-Werror>)
if(FARE_SANITIZE)
  target_compile_options(fare_warnings INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(fare_warnings INTERFACE -fsanitize=address,undefined)
endif()
