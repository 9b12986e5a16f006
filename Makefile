# A façade over Meson and npm, so that two words do everything. `make` says what there is.
BUILD ?= build
JOBS ?= $(shell nproc)
.DEFAULT_GOAL := help
.PHONY: help run test test-kernels build bench lint asan tsan fuzz install web packages clean

help: ## what there is
	@echo "Cresset: what burns CPU on this host, as flame graphs."
	@awk -F': .*## ' '/^[a-z-]+: .*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## install what is needed, build, profile this host (as root); ARGS="--listen=HOST:PORT ..."
	@tools/packages run
	@$(MAKE) --no-print-directory build
	@exec $(BUILD)/cresset up $(ARGS)

test: ## install what is needed, build with both compilers, run every test
	@tools/packages test
	@tools/test

test-kernels: ## boot old and new kernels in QEMU and sample a known program (KERNELS="5.10 6.1 6.12 newest")
	@tools/packages test
	@tools/test-kernels $(KERNELS)

build: $(BUILD)/build.ninja ## compile the program: build/cresset
	@ninja -j $(JOBS) -C $(BUILD) src/cli/cresset
	@ln -sf src/cli/cresset $(BUILD)/cresset

$(BUILD)/build.ninja:
	@meson setup $(BUILD) -Dtests=false >/dev/null || { cat $(BUILD)/meson-logs/meson-log.txt; exit 1; }

bench: ## print the figures of docs/bench.md (BENCH="group ...")
	@tools/packages bench
	@bench/run $(BENCH)

lint: ## format, layers, spelling, cppcheck
	@tools/lint

asan: ## unit tests and fuzz corpora under ASan and UBSan
	@tools/test asan

tsan: ## threaded unit tests under TSan
	@tools/test tsan

fuzz: ## run every fuzzer for SECONDS each (default 60)
	@tools/fuzz $(or $(SECONDS),60)

install: build ## install the program in DESTDIR/PREFIX/bin (PREFIX=/usr/local)
	install -D -m 755 $(BUILD)/src/cli/cresset $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/cresset

web: ## rebuild the page (web/dist) from its sources; needs Node.js >= 20.19
	@cd web && npm ci && npm run build

packages: ## install the Debian packages for building and testing
	@tools/packages test

clean: ## remove build directories
	rm -rf build build-*
