/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/support.h>

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fare_text_add(fare_text *to, const char *format, ...)
{
  va_list arguments;
  int     needed;

  va_start(arguments, format);
  needed = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (needed < 0) return;
  if (to->length + (size_t)needed + 1 > to->capacity) {
    const size_t capacity = 2 * to->capacity + (size_t)needed + 64;
    char        *text     = realloc(to->text, capacity);

    if (!text) MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
    to->text     = text;
    to->capacity = capacity;
  }
  va_start(arguments, format);
  vsnprintf(to->text + to->length, (size_t)needed + 1, format, arguments);
  va_end(arguments);
  to->length += (size_t)needed;
}

void fare_text_free(fare_text *text)
{
  free(text->text);
  memset(text, 0, sizeof *text);
}

struct fare_table {
  int       columns;
  size_t    count;
  fare_text cells; /* each terminated by a zero byte, one after the other */
};

void fare_table_create(int columns, fare_table **table)
{
  *table = calloc(1, sizeof **table);
  if (!*table) MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
  (*table)->columns = columns;
}

void fare_table_cell(fare_table *table, const char *format, ...)
{
  char    text[512];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fare_text_add(&table->cells, "%s%c", text, '\0');
  table->count++;
}

void fare_table_headings(fare_table *table, const char *const names[])
{
  for (int i = 0; i < table->columns; i++) fare_table_cell(table, "%s", names[i]);
}

/* Characters shown, not bytes: continuation bytes of UTF-8 do not count. */
static int shown_width(const char *text)
{
  int width = 0;

  for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

/* Numbers and what stands for them go right. */
static int is_numeric(const char *text)
{
  return strspn(text, "0123456789+-.eEnaif%<>x*~() ") == strlen(text);
}

static int exponent_of(const char *scientific)
{
  return atoi(strchr(scientific, 'e') + 1);
}

void fare_table_measured(fare_table *table, const char *mark, double value, double error)
{
  enum { DIGITS = 7 }; /* shown at most */
  char   text[32], bar[16];
  double last   = 1; /* digit shown, of value and error alike */
  int    digits = 0;

  snprintf(bar, sizeof bar, "%.1e", error);
  if (error > 0 && isfinite(error)) {
    last = pow(10, exponent_of(bar) - 1);
    snprintf(text, sizeof text, "%.15e", round(value / last) * last);
    digits = exponent_of(text) - exponent_of(bar) + 1;
  }
  if (digits < 1 || digits >= DIGITS) {
    fare_table_cell(table, "%s%.7g", mark, value);
  } else {
    snprintf(text, sizeof text, "%.*e", digits, round(value / last) * last);
    fare_table_cell(table, "%s%.*s(%c%c)%s", mark, (int)strcspn(text, "e"), text, bar[0], bar[2],
      exponent_of(text) ? strchr(text, 'e') : "");
  }
}

void fare_table_print(const fare_table *table, FILE *to)
{
  int        *width, *right;
  const char *cell = table->cells.text;
  size_t      i;

  width = calloc(2 * (size_t)table->columns, sizeof *width);
  if (!width) MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
  right = width + table->columns;
  for (i = 0; i < (size_t)table->columns; i++) right[i] = 1;
  for (i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
    const size_t column = i % (size_t)table->columns;

    width[column] = PetscMax(width[column], shown_width(cell));
    if (i >= (size_t)table->columns && !is_numeric(cell)) right[column] = 0;
  }
  cell = table->cells.text;
  for (i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
    const size_t column = i % (size_t)table->columns;
    const int    last   = column + 1 == (size_t)table->columns;
    const int    pad    = width[column] - shown_width(cell);

    if (right[column])
      fprintf(to, "%*s%s", pad, "", cell);
    else
      fprintf(to, "%s%*s", cell, last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", to);
  }
  free(width);
}

void fare_table_destroy(fare_table **table)
{
  if (*table) fare_text_free(&(*table)->cells);
  free(*table);
  *table = NULL;
}

#define LONGEST_WORD 64 /* longer ones are no slips of the pen */

static int same_letter(char a, char b)
{
  return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
  Edit distance of two short words (insertion, deletion, substitution), by rows of the usual table; case does
  not count.
*/
static int edit_distance(const char *a, const char *b)
{
  const int m = (int)strlen(a), n = (int)strlen(b);
  int       row[LONGEST_WORD + 1];

  for (int j = 0; j <= n; j++) row[j] = j;
  for (int i = 1; i <= m; i++) {
    int diagonal = row[0];

    row[0] = i;
    for (int j = 1; j <= n; j++) {
      const int above = row[j], substituted = diagonal + !same_letter(a[i - 1], b[j - 1]);

      row[j]   = PetscMin(substituted, PetscMin(above, row[j - 1]) + 1);
      diagonal = above;
    }
  }
  return row[n];
}

const char *fare_nearest(const char *word, const char *const names[], size_t count)
{
  const char *nearest = NULL;
  int         best    = (int)(strlen(word) / 3) + 2; /* must be nearer than this */

  for (size_t i = 0; i < count && strlen(word) <= LONGEST_WORD; i++) {
    const int distance = strlen(names[i]) <= LONGEST_WORD ? edit_distance(word, names[i]) : best;

    if (distance < best) {
      best    = distance;
      nearest = names[i];
    }
  }
  return nearest;
}

void fare_text_add_nearest(fare_text *to, const char *word, const char *const names[], size_t count)
{
  const char *nearest = fare_nearest(word, names, count);

  if (nearest) fare_text_add(to, " (did you mean '%s'?)", nearest);
}

PetscErrorCode fare_error_unknown(const char *what, const char *word, const char *const names[], size_t count)
{
  fare_text text = {0};

  fare_text_add(&text, "unknown %s '%.60s'", what, word);
  fare_text_add_nearest(&text, word, names, count);
  for (size_t i = 0; i < count; i++) fare_text_add(&text, "%s%s", i ? ", " : "; choose from: ", names[i]);
  (void)fare_error(FARE_ERR_INPUT, "%s", text.text);
  fare_text_free(&text);
  return FARE_ERR_INPUT;
}

PetscBool fare_is_word(const char *text)
{
  if (!text || !*text || strlen(text) > 64) return PETSC_FALSE;
  for (const char *c = text; *c; c++) {
    if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') return PETSC_FALSE;
  }
  return PETSC_TRUE;
}
