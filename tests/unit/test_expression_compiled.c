/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/*
  Compiled formulas against formulas evaluated here and systems of the library, what is kept of them, and
  systems that read back.
*/
#include "formula_systems.h"
#include "formulas.h"

/* A sum in which every operator and function stands, of arguments that suit it. */
static const term *one_of_each(int dim)
{
  static const char kinds[] = "scthTSCaAgHqlmM/^n";
  term             *sum     = number(0.5);

  for (const char *c = kinds; *c; c++) {
    term *u = new_term('*', 0, number(0.75), new_term('x', below(dim), NULL, NULL)),
         *v = new_term('p', below(3), NULL, NULL);

    if (*c == 'q' || *c == 'l') u = new_term('+', 0, number(2), u);
    if (*c == '/' || *c == '^') v = new_term('+', 0, number(2), v), u = new_term('+', 0, number(2), u);
    sum = new_term(below(2) ? '+' : '-', 0, sum,
      new_term('*', 0, number(1 + below(9) / 8.), new_term(*c, 0, u, strchr("mM/^", *c) ? v : NULL)));
  }
  return sum;
}

/* Compiled potentials and forces against the test's own formulas, compiled drifts and diffusions too. */
static void compiled_functions_agree(void **state)
{
  enum { SYSTEMS = 6, N = 103 };
  static double       x[3][N], V[N], f[3][N];
  const double *const px[] = {x[0], x[1], x[2]};
  double *const       pf[] = {f[0], f[1], f[2]};

  (void)state;
  for (int i = 0; i < SYSTEMS; i++) {
    const int    dim     = 3 - i % 3;
    const double theta[] = {0.5 + uniform(), uniform() - 0.5, 1 + uniform()};
    fare_text    yaml    = {0};
    fare_config *config;
    fare_system *system;

    pooled              = 0;
    const term *formula = i ? grow(4, dim) : one_of_each(dim),
               *all     = new_term('+', 0, (term *)formula,
                     new_term('*', 0, new_term('p', 0, NULL, NULL),
                       new_term('+', 0, new_term('p', 1, NULL, NULL), new_term('p', 2, NULL, NULL))));

    fare_text_add(&yaml,
      "system:\n  expression:\n    axes: [x%s%s]\n    lower: [-1.5%s%s]\n    upper: [1.5%s%s]\n    "
      "potential: >\n      ",
      dim > 1 ? ", y" : "", dim > 2 ? ", phi_2" : "", dim > 1 ? ", -1.5" : "", dim > 2 ? ", -1.5" : "",
      dim > 1 ? ", 1.5" : "", dim > 2 ? ", 1.5" : "");
    print(all, 1, &yaml);
    /* in the block of YAML a new line of the formula is indented like the first */
    for (size_t c = 0; c < yaml.length; c++) {
      if (c > (size_t)(strstr(yaml.text, ">\n") - yaml.text) + 2 && yaml.text[c] == '\n') yaml.text[c] = ' ';
    }
    fare_text_add(
      &yaml, "\n  parameters: {k: %.17g, tilt: %.17g, a0: %.17g}\n", theta[0], theta[1], theta[2]);
    if (system_of(yaml.text, &config, &system)) fail_msg("%s\n%s", yaml.text, fare_error_message());
    for (int axis = 0; axis < dim; axis++) {
      for (int k = 0; k < N; k++) x[axis][k] = 3 * uniform() - 1.5;
    }
    fare_system_potential(system, 0, N, px, V);
    fare_system_force(system, 0, N, px, pf);
    for (int k = 0; k < N; k++) {
      const double at[] = {x[0][k], x[1][k], x[2][k]};
      double       size = 1;
      const dual   is   = evaluate(all, at, theta, &size);

      if (has_tie(all, at, theta)) continue;
      if (!(fabs(V[k] - is.v) <= 1e-11 * size))
        fail_msg("%s: compiled %.17g, is %.17g", yaml.text, V[k], is.v);
      for (int axis = 0; axis < dim; axis++) {
        if (!(fabs(f[axis][k] + is.d[axis]) <= 1e-10 * size * size))
          fail_msg("%s: compiled force %d %.17g, is %.17g", yaml.text, axis, f[axis][k], -is.d[axis]);
      }
    }
    fare_text_free(&yaml);
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
}

static void prinz_as_a_formula_is_prinz(void **state)
{
  enum { N = 400 };
  static const char yaml[] =
    "system: {expression: {lower: [-2], upper: [2], potential: \"height*(x^8 + 0.8*exp(-80*x^2) + "
    "0.2*exp(-80*(x - 0.5)^2) + 0.5*exp(-40*(x + 0.5)^2)) - tilt*x\"}, parameters: {height: 4, tilt: 1.5}}\n";
  static double       at[N], V[2][N], f[2][N];
  const double *const x[] = {at};
  fare_config        *config;
  fare_system        *system[2];

  (void)state;
  assert_ok(system_of(yaml, &config, &system[0]));
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system[1]));
  assert_ok(fare_system_set(system[1], "tilt", 1.5));
  assert_int_equal(fare_system_type_of(system[0])->basis_count, 2);
  for (int i = 0; i < N; i++) at[i] = -2 + 4 * (i + 0.5) / N;
  for (int k = 0; k < 2; k++) {
    double *const pf[] = {f[k]};

    fare_system_potential(system[k], 0, N, x, V[k]);
    fare_system_force(system[k], 0, N, x, pf);
    assert_ok(fare_system_destroy(&system[k]));
  }
  for (int i = 0; i < N; i++) {
    assert_near(V[0][i], V[1][i], 4e-15 * (4 + fabs(V[1][i])));
    assert_near(f[0][i], f[1][i], 4e-15 * (100 + fabs(f[1][i])));
  }
  fare_config_destroy(&config);
}

/*
  Many compilers make a shared object that is linked with -ffast-math set denormal numbers to zero in whoever
  loads it.
*/
static void loading_keeps_the_arithmetic(void **state)
{
  volatile double tiny = 0x1p-1060;
  char            command[512], yaml[512];
  fare_config    *config;
  fare_system    *loaded;

  (void)state;
  snprintf(command, sizeof command,
    "cd %s && echo 'int nothing;' > fast.c && cc -ffast-math -fPIC -shared -o fast.so fast.c", cache);
  if (system(command)) skip();
  snprintf(yaml, sizeof yaml, "system: {plugin: %s/fast.so}\n", cache);
  assert_int_equal(system_of(yaml, &config, &loaded), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "is not a FARE plugin"));
  assert_true(tiny / 2 > 0);
  fare_config_destroy(&config);
}

/* The same formula twice is compiled once; another is another. */
static void the_cache_is_used(void **state)
{
  static const char *const formulas[]  = {"k*x^4", "k * x^4", "k*x^6"};
  static const int         new_files[] = {1, 0, 1};

  (void)state;
  for (int i = 0; i < 3; i++) {
    const int    before = files_in_cache();
    char         yaml[256];
    fare_config *config;
    fare_system *system;

    snprintf(yaml, sizeof yaml,
      "system: {expression: {lower: [-%d], upper: [%d], potential: \"%s\"}, parameters: {k: %d}}\n", 1 + i,
      1 + i, formulas[i], 1 + i);
    assert_ok(system_of(yaml, &config, &system));
    assert_int_equal(files_in_cache() - before, new_files[i]);
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
}

/*
  Drift and diffusion with a potential beside them; the resolved plan reads back to itself, and a parameter is
  driven.
*/
static void general_systems_read_back(void **state)
{
  static const char yaml[] = "system:\n  expression:\n    axes: [q, v]\n    potential: q^2/2 + v^2/2\n    "
                             "drift: [v, \"-q - g*v + push\"]\n    diffusion: [0, g*kT]\n    lower: [-4, "
                             "-5]\n    upper: [4, 5]\n    periodic: [false, false]\n"
                             "  parameters: {g: 0.5, push: 0, kT: 2}\ndrive: [{parameter: push, waveform: "
                             "sine, amplitude: 3, period: 4}]\n";
  const double q[] = {0.25}, v[] = {-1.5}, *const x[] = {q, v};
  double        f[2], D[2], V;
  double *const pf[] = {&f[0], &f[1]}, *const pD[] = {&D[0], &D[1]};
  fare_text    text[2] = {{0}, {0}};
  fare_config *config;
  fare_system *system;

  (void)state;
  for (int i = 0; i < 2; i++) {
    assert_ok(system_of(i ? text[0].text : yaml, &config, &system));
    fare_system_write(system, &text[i]);
    assert_int_equal(fare_system_dimension(system), 2);
    assert_string_equal(fare_system_axis_name(system, 1), "v");
    assert_true(fare_system_has_potential(system));
    assert_near(fare_system_kT(system, 0), 2, 0);
    fare_system_drift(system, 1, 1, x, pf);
    fare_system_diffusion(system, 1, 1, x, pD);
    fare_system_potential(system, 1, 1, x, &V);
    assert_near(f[0], -1.5, 1e-15);
    assert_near(f[1], -0.25 + 0.75 + 3, 1e-14);
    assert_near(D[0], 0, 0);
    assert_near(D[1], 1, 1e-15);
    assert_near(V, 0.25 * 0.25 / 2 + 1.5 * 1.5 / 2, 1e-15);
    fare_system_force(system, 1, 1, x, pf);
    assert_near(f[0], -0.25, 1e-15);
    assert_near(f[1], 1.5, 1e-15);
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
  assert_string_equal(text[0].text, text[1].text);
  fare_text_free(&text[0]);
  fare_text_free(&text[1]);
}

static void a_force_may_stand_alone_or_beside_a_potential(void **state)
{
  static const char *const yaml[] = {
    "system: {expression: {lower: [-3, -3], upper: [3, 3], potential: \"(x^2 + y^2)/2\", nonconservative: "
    "[\"-w*y\", "
    "\"w*x\"]}, parameters: {w: 3, mobility: 0.5}}\n",
    "system: {expression: {lower: [-3, -3], upper: [3, 3], force: [\"-x - w*y\", \"w*x - y\"]}, parameters: "
    "{w: 3, mobility: 0.5}}\n",
  };
  const double at[] = {0.5}, to[] = {-2}, *const x[] = {at, to};
  double        f[2], D[2];
  double *const pf[] = {&f[0], &f[1]}, *const pD[] = {&D[0], &D[1]};

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_config            *config;
    fare_system            *system;
    const fare_system_type *type;

    assert_ok(system_of(yaml[i], &config, &system));
    type = fare_system_type_of(system);
    assert_true(!type->nonconservative == (i == 1) && !type->potential == (i == 1));
    fare_system_force(system, 0, 1, x, pf);
    assert_near(f[0], -0.5 + 6, 1e-15);
    assert_near(f[1], 2 + 1.5, 1e-15);
    fare_system_drift(system, 0, 1, x, pf);
    fare_system_diffusion(system, 0, 1, x, pD);
    assert_near(f[0], 2.75, 1e-15);
    assert_near(D[1], 0.5, 0);
    if (type->nonconservative) type->nonconservative(2, (double[]){1, 0.5, 3}, 1, x, pf);
    if (type->nonconservative) assert_near(f[0], 6, 1e-15);
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup(compiled_functions_agree, make_cache),
  cmocka_unit_test(prinz_as_a_formula_is_prinz),
  cmocka_unit_test(loading_keeps_the_arithmetic),
  cmocka_unit_test(the_cache_is_used),
  cmocka_unit_test(general_systems_read_back),
  cmocka_unit_test_teardown(a_force_may_stand_alone_or_beside_a_potential, remove_cache),
};
FARE_TEST_MAIN(tests)
