/* An input as an HDF5 file: 'R' and the bytes of one, or the number of a sound one and what is edited in it. */
#ifndef FARE_FUZZ_HDF5_INPUT_H
#define FARE_FUZZ_HDF5_INPUT_H

#include "driver.h"
#include "hdf5_edit.h"

#include <ctype.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__)
  #define FUZZ_RAW 0 /* what HDF5 does to memory over bytes that are no file is not ours to report */
#else
  #define FUZZ_RAW 1
#endif

enum { INPUT_SOUND_MAX = 4 };
static fuzz_input input_sound[INPUT_SOUND_MAX];
static size_t     input_sounds;

/* No more memory than a file of samples should take, and silence. */
static void input_begin(void)
{
  const struct rlimit most = {(rlim_t)2 << 30, (rlim_t)2 << 30}; /* a dataset that was never written may claim any size */

  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  if (FUZZ_RAW) setrlimit(RLIMIT_AS, &most);
  must(freopen("/dev/null", "w", stdout) != NULL, "silence");
}

/* A sound file becomes a seed of bytes and one of edits. */
static inline void input_add(const char *path)
{
  static uint8_t bytes[FUZZ_LONGEST];
  FILE          *file = fopen(path, "rb");
  fuzz_input    *to   = &input_sound[input_sounds];
  uint8_t        edits[1 + 4 * EDIT_BYTES];

  must(file != NULL && input_sounds < INPUT_SOUND_MAX, "a sound file");
  to->size = fread(to->data, 1, FUZZ_LONGEST, file);
  must(feof(file), "a sound file that fits an input");
  fclose(file);
  for (size_t i = 0; i < sizeof edits; i++) edits[i] = (uint8_t)(i * 37 + input_sounds);
  edits[0] = (uint8_t)input_sounds++;
  fuzz_add_seed(edits, 1);
  fuzz_add_seed(edits, sizeof edits);
  bytes[0] = 'R';
  memcpy(bytes + 1, to->data, PetscMin(to->size, FUZZ_LONGEST - 1));
  if (FUZZ_RAW) fuzz_add_seed(bytes, 1 + to->size);
}

static void input_write(const char *path, const uint8_t *data, size_t size)
{
  FILE *file = fopen(path, "wb");

  must(file && fwrite(data, 1, size, file) == size && !fclose(file), "writing an input");
}

static inline void input_make(const char *path, const uint8_t *data, size_t size, const char *const names[], size_t count)
{
  if (size && *data == 'R') {
    input_write(path, data + 1, FUZZ_RAW ? size - 1 : 0);
    return;
  }
  input_write(path, input_sound[size ? *data % input_sounds : 0].data, input_sound[size ? *data % input_sounds : 0].size);
  if (size) edit_file(path, data + 1, size - 1, names, count);
}

/* A refusal is ours, says something, and says it in one line. */
static void input_must_be_refusal(PetscErrorCode code, int failed_too)
{
  must(code == FARE_ERR_INPUT || (failed_too && code == FARE_ERR_FAILED), "an error other than FARE_ERR_INPUT");
  must(*fare_error_message() != '\0', "a refusal without a word");
  for (const char *c = fare_error_message(); *c; c++) must(!iscntrl((unsigned char)*c), "a message of more than one line");
}

#endif
