//! With the feature `cuda`: compiles `kernels/*.cu` to PTX, which the library embeds.

use std::{env, path::PathBuf, process::Command};

fn main() {
    for watched in ["build.rs", "kernels"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    let home = env::var_os("CUDA_HOME").map(|home| PathBuf::from(home).join("bin/nvcc"));
    let nvcc = home.filter(|path| path.exists()).unwrap_or_else(|| "nvcc".into());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for kernel in ["attention", "block", "sampling"] {
        // PTX of the lowest architecture that has bfloat16 runs on every newer GPU.
        let status = Command::new(&nvcc)
            .args(["--ptx", "-arch=compute_80", "-std=c++17", "-O3", "-o"])
            .arg(out.join(kernel).with_extension("ptx"))
            .arg(format!("kernels/{kernel}.cu"))
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(_) => panic!("nvcc cannot compile kernels/{kernel}.cu"),
            Err(error) => panic!(
                "cannot run `{}`: {error}; set CUDA_HOME or put nvcc on the PATH",
                nvcc.display()
            ),
        }
    }
}
