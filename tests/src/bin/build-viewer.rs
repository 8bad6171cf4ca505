//! Builds what browsers load: wasm by cargo, its JavaScript by wasm-bindgen, both into `www/dist`; then holds them against
//! the size they may have and against imports that no browser provides. Once as the viewer, once as the broadcaster of the
//! studio page.
//!
//! `wasm-opt` is left out: what it removes is what compresses well, and the gzipped module grows by a twentieth.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};
use wasmparser::{Parser, Payload};

/// One of the module's two builds.
struct Build {
    /// Of the files.
    name: &'static str,
    features: &'static [&'static str],
    /// Bytes of wasm and JavaScript together, gzipped.
    gzipped_max: usize,
}

/// What a viewer waits for before anything can happen, and what a broadcaster does.
const BUILDS: [Build; 2] = [
    Build { name: "viewer", features: &[], gzipped_max: 130 * 1000 },
    Build { name: "studio", features: &["studio"], gzipped_max: 200 * 1000 },
];

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm";

/// SHA-2 as loops: as quick in wasm as unrolled, and 6 KB less for every viewer to download.
const COMPACT: &str = r#"target.wasm32-unknown-unknown.rustflags=["--cfg", "sha2_backend_soft=\"compact\""]"#;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests stand in the workspace")?;
    let dist = root.join("www/dist");
    for build in &BUILDS {
        let (wasm, script) = (format!("{}_bg.wasm", build.name), format!("{}.js", build.name));
        let compiled = compile(root, build)?;
        bind(&compiled, &dist, build.name)?;
        refuse_foreign_imports(&dist.join(&wasm), build.name)?;
        weigh(&[dist.join(wasm), dist.join(script)], build)?;
    }
    Ok(())
}

/// The path of the compiled module.
fn compile(root: &Path, build: &Build) -> Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args([
            "--config",
            COMPACT,
            "build",
            "--quiet",
            "--package",
            "viewer-wasm",
            "--target",
            TARGET,
            "--profile",
            PROFILE,
            "--features",
            &build.features.join(","),
        ])
        .status()
        .context("cannot start cargo")?;
    ensure!(
        status.success(),
        "the viewer does not compile for {TARGET}; is the target installed? `rustup target add {TARGET}`"
    );
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root.join("target"), PathBuf::from);
    Ok(target.join(TARGET).join(PROFILE).join("viewer_wasm.wasm"))
}

/// Writes module and script. Imports get short names in both: the digits that wasm-bindgen adds to them do not compress.
fn bind(wasm: &Path, dist: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(dist)?;
    let mut output = wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .remove_producers_section(true)
        .remove_name_section(true)
        .out_name(name)
        .generate_output()
        .context("wasm-bindgen refuses the module")?;
    let mut script = without_comments(output.js());
    for (number, import) in output.wasm_mut().imports.iter_mut().enumerate() {
        let short = format!("i{number}");
        let (before, key) = (format!("\n{}: ", import.name), format!("\n{short}: "));
        ensure!(script.matches(&before).count() == 1, "the script does not define `{}` once", import.name);
        script = script.replace(&before, &key);
        import.name = short;
    }
    fs::write(dist.join(format!("{name}_bg.wasm")), output.wasm_mut().emit_wasm())?;
    fs::write(dist.join(format!("{name}.js")), script)?;
    Ok(())
}

/// Without comments on lines of their own, and without indentation.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim_start);
    let code = lines.filter(|line| !["/*", "*", "//"].iter().any(|start| line.starts_with(start)));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// `env` is what a C library or a forgotten clock would want from the browser, and a module that names it does not start.
fn refuse_foreign_imports(wasm: &Path, name: &str) -> Result<()> {
    let bytes = fs::read(wasm)?;
    for payload in Parser::new(0).parse_all(&bytes) {
        let Payload::ImportSection(imports) = payload? else { continue };
        for import in imports.into_imports() {
            let import = import?;
            if import.module != format!("./{name}_bg.js") {
                bail!("the module imports `{}` from `{}`, which no browser has", import.name, import.module);
            }
        }
    }
    Ok(())
}

fn weigh(files: &[PathBuf], build: &Build) -> Result<()> {
    let mut total = 0;
    for file in files {
        let bytes = fs::read(file)?;
        let gzipped = gzipped(&bytes)?;
        total += gzipped;
        println!("{:>8} bytes, {gzipped:>7} gzipped: {}", bytes.len(), file.display());
    }
    let Build { name, gzipped_max, .. } = build;
    println!("{name}: {total} bytes gzipped, of at most {gzipped_max}");
    ensure!(total <= *gzipped_max, "the {name} has grown beyond {gzipped_max} bytes gzipped");
    Ok(())
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
