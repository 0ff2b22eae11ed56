//! Where the examples are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The example of this name, up to date.
pub(crate) fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(build_examples)
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

/// Has cargo build the examples where this test was built. After `cargo test` there is nothing to do, but
/// `cargo test --test foreign` alone leaves them out. Returns their folder.
fn build_examples() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let folder = test.ancestors().nth(2).expect("TARGET/PROFILE/deps/TEST");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    // Without the variables that cargo gives a test about its package: build scripts that look at them would run again,
    // and then once more.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    let built = cargo
        .env_remove("CARGO_MANIFEST_DIR")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--quiet",
            "--examples",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(folder.parent().expect("TARGET/PROFILE"))
        .output()
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    folder.join("examples")
}
