/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Links that lead out of a file, and the files that they lead to: looked at before HDF5 opens them, for it
  would wait on a named pipe for ever.
*/
#include "store.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MOST    16 /* that may follow each other, as in HDF5 */
#define PLACE_SIZE    (2 * PETSC_MAX_PATH_LEN)
#define LINK_NAME_MAX (2 * PETSC_MAX_PATH_LEN)

PetscErrorCode fare_store_look_at_file(const char *path)
{
  struct stat about;

  PetscFunctionBegin;
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_FAILED, "%s: %s", path, strerror(errno));
  if (S_ISDIR(about.st_mode))
    FARE_FAIL(FARE_ERR_FAILED, "%s: not a whole HDF5 file: it is a directory", path);
  if (!S_ISREG(about.st_mode))
    FARE_FAIL(FARE_ERR_FAILED, "%s: a named pipe, socket or device, not a file", path);
  PetscFunctionReturn(0);
}

static void directory_of(const char *file, size_t size, char to[])
{
  char copy[PLACE_SIZE];

  snprintf(copy, sizeof copy, "%s", file);
  snprintf(to, size, "%s", dirname(copy));
}

void fare_store_prefix(const char *in, const char *prefix, size_t length, size_t size, char to[])
{
  static const char origin[]           = "${ORIGIN}";
  char              beside[PLACE_SIZE] = "";

  if (length >= sizeof origin - 1 && !strncmp(prefix, origin, sizeof origin - 1)) {
    directory_of(in, sizeof beside, beside);
    prefix += sizeof origin - 1;
    length -= sizeof origin - 1;
  }
  snprintf(to, size, "%s%.*s", beside, (int)length, prefix);
}

/*
  The i-th place where HDF5 looks for a file that `in` names: as an absolute path, by a variable of the
  environment, beside `in`, and in the working directory. False past the last; an empty name where there is no
  such place.
*/
static PetscBool candidate(
  const char *in, const char *variable, const char *name, size_t i, char to[PLACE_SIZE])
{
  const char *prefix = getenv(variable), *bare = *name == '/' ? strrchr(name, '/') + 1 : name;
  size_t      n = 1;
  char        at[PETSC_MAX_PATH_LEN];

  snprintf(to, PLACE_SIZE, "%s", *name == '/' ? name : "");
  if (i == 0) return PETSC_TRUE;
  for (; prefix && *prefix; n++) {
    const size_t length = strcspn(prefix, ":");

    if (i == n) {
      fare_store_prefix(in, prefix, length, sizeof at, at);
      snprintf(to, PLACE_SIZE, "%s/%s", at, bare);
      return PETSC_TRUE;
    }
    prefix += length + (prefix[length] == ':');
  }
  directory_of(in, sizeof at, at);
  if (i == n && strcmp(at, "."))
    snprintf(to, PLACE_SIZE, "%s/%s", at, bare);
  else
    snprintf(to, PLACE_SIZE, "%s", bare);
  return i <= n + 1 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_store_open_beside(
  const char *in, const char *variable, const char *name, size_t size, char found[], hid_t *file)
{
  char        place[PLACE_SIZE];
  struct stat about;

  PetscFunctionBegin;
  *file = -1;
  for (size_t i = 0; candidate(in, variable, name, i, place) && *file < 0; i++) {
    if (stat(place, &about)) continue;
    PetscCall(fare_store_look_at_file(place));
    *file = H5Fopen(place, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0) PetscCall(fare_store_failed(place, "not a whole HDF5 file"));
    snprintf(found, size, "%s", place);
  }
  if (*file < 0) FARE_FAIL(FARE_ERR_FAILED, "%s: %s", name, strerror(ENOENT));
  PetscFunctionReturn(0);
}

static PetscErrorCode look(const char *in, hid_t file, const char *path, int followed);

/* `rest` is what of the path comes behind the link. */
static PetscErrorCode look_outside(
  const char *in, const char *value, size_t size, const char *rest, int followed)
{
  const char    *name, *object;
  char           found[PLACE_SIZE], path[LINK_NAME_MAX];
  hid_t          file;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (H5Lunpack_elink_val(value, size, NULL, &name, &object) < 0) {
    PetscCall(fare_store_failed(in, "an empty link"));
  }
  PetscCall(fare_store_open_beside(in, "HDF5_EXT_PREFIX", name, sizeof found, found, &file));
  snprintf(path, sizeof path, "%s%s%s", *object == '/' ? "" : "/", object, rest);
  code = look(found, file, path, followed);
  H5Fclose(file);
  PetscFunctionReturn(code);
}

/* `link` ends at `rest` in `path`, and is of a kind that leads elsewhere. */
static PetscErrorCode look_behind(
  const char *in, hid_t file, const char *link, const char *rest, const H5L_info_t *about, int followed)
{
  char value[LINK_NAME_MAX + 1] = "", path[2 * LINK_NAME_MAX], *slash;

  PetscFunctionBegin;
  if (about->type != H5L_TYPE_SOFT && about->type != H5L_TYPE_EXTERNAL) {
    FARE_FAIL(FARE_ERR_FAILED, "a link of unknown type");
  }
  if (followed == LINKS_MOST) FARE_FAIL(FARE_ERR_FAILED, "a chain of more than %d links", LINKS_MOST);
  if (about->u.val_size >= sizeof value || H5Lget_val(file, link, value, sizeof value - 1, H5P_DEFAULT) < 0) {
    FARE_FAIL(FARE_ERR_FAILED, "a link that cannot be read");
  }
  if (about->type == H5L_TYPE_EXTERNAL)
    PetscFunctionReturn(look_outside(in, value, about->u.val_size, rest, followed + 1));
  snprintf(path, sizeof path, "%s", link);
  slash    = strrchr(path, '/');
  slash[1] = '\0';
  if (*value == '/')
    snprintf(path, sizeof path, "%s%s", value, rest);
  else
    snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "%s%s", value, rest);
  PetscCall(look(in, file, path, followed + 1));
  PetscFunctionReturn(0);
}

/* Along an absolute path in a file, which is open; FARE_ERR_FAILED with the reason where it leads nowhere. */
static PetscErrorCode look(const char *in, hid_t file, const char *path, int followed)
{
  char       link[LINK_NAME_MAX];
  H5L_info_t about;

  PetscFunctionBegin;
  if (strlen(path) >= sizeof link) FARE_FAIL(FARE_ERR_FAILED, "a path too long");
  for (const char *end = path; *end;) {
    end += strspn(end, "/");
    if (!*end) break;
    if (strcspn(end, "/") == 1 && *end == '.') {
      end++;
      continue;
    }
    end += strcspn(end, "/");
    snprintf(link, sizeof link, "%.*s", (int)(end - path), path);
    if (H5Lget_info(file, link, &about, H5P_DEFAULT) < 0) {
      FARE_FAIL(FARE_ERR_FAILED, "%s: there is no %s", in, link);
    }
    if (about.type == H5L_TYPE_HARD) continue;
    PetscCall(look_behind(in, file, link, end, &about, followed));
    break; /* the rest of the path was looked at behind the link */
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_look_along(const char *in, hid_t file, const char *path)
{
  PetscFunctionBegin;
  PetscCall(look(in, file, path, 0));
  PetscFunctionReturn(0);
}
