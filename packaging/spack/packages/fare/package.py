# SPDX-License-Identifier: BSD-2-Clause
"""
FARE for Spack 1.0 or newer, from the clone that holds this file:

    spack repo add packaging/spack
    spack install fare
"""
import pathlib

from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import depends_on, license, variant, version


class Fare(CMakePackage):
    """Reference densities of driven stochastic systems, samplers beside them, and divergences between them."""

    git = pathlib.Path(__file__).resolve().parents[4].as_uri()

    license("BSD-2-Clause")

    version("main", branch="main")

    variant("native", default=True, description="Kernels for the processor that Spack builds for")
    variant("shared", default=True, description="A shared library")
    variant("reports", default=True, description="Python for reports")

    depends_on("c", type=("build", "run"))  # studies with formulas compile them
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("petsc@3.18:+mpi~complex~int64+mumps+hypre")
    depends_on("slepc@3.18:")
    depends_on("hdf5@1.10:+mpi")
    depends_on("libyaml@0.2.2:")
    depends_on("openblas")
    depends_on("zlib-api")
    with_python = {"type": ("build", "run"), "when": "+reports"}
    depends_on("python@3.9:", **with_python)
    depends_on("py-h5py", **with_python)
    depends_on("py-numpy", **with_python)
    depends_on("py-matplotlib", **with_python)

    def cmake_args(self):
        return [
            self.define("FARE_TESTS", False),
            self.define_from_variant("FARE_NATIVE", "native"),
            self.define_from_variant("BUILD_SHARED_LIBS", "shared"),
        ]
