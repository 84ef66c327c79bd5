//! Environment variables for the interpreter while it imports the project.
//!
//! componentize-py gives the interpreter an environment of its own, with no
//! way to add to it. It does link every shared library that it finds beside
//! the code, and such a library may run something when it is loaded. The one
//! made here sets the variables, before the interpreter looks at them.

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalType, ImportSection, MemoryType, Module, TypeSection, ValType,
};

/// Whose name tells componentize-py that it is a library. The version is that
/// of the CPython in the pinned componentize-py.
pub(super) const FILE_NAME: &str = "unskew_environment.cpython-314-wasm32-wasi.so";

const VARIABLES: [(&str, &str); 3] = [
    // With a seed of its own for every build, `hash("text")` and the order of
    // sets would differ from build to build.
    ("PYTHONHASHSEED", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHON_COLORS", "0"),
];

/// The library's bytes.
pub(super) fn library() -> Vec<u8> {
    let mut data = Vec::new();
    let mut calls = Vec::new();
    for (name, value) in VARIABLES {
        let mut place = |text: &str| {
            let at = data.len() as i32;
            data.extend_from_slice(text.as_bytes());
            data.push(0);
            at
        };
        calls.push((place(name), place(value)));
    }

    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 3], [ValType::I32]); // setenv(name, value, overwrite)
    types.ty().function([], []);

    let mut imports = ImportSection::new();
    let memory = MemoryType {
        minimum: 0,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    let base = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
    imports.import("env", "memory", memory);
    imports.import("env", "__memory_base", base);
    imports.import("env", "setenv", EntityType::Function(0));

    let mut functions = FunctionSection::new();
    functions.function(1);
    let mut exports = ExportSection::new();
    exports.export("__wasm_call_ctors", ExportKind::Func, 1);

    let mut start = Function::new([]);
    for (name, value) in calls {
        let mut code = start.instructions();
        code.global_get(0).i32_const(name).i32_add();
        code.global_get(0).i32_const(value).i32_add();
        code.i32_const(1).call(0).drop();
    }
    start.instructions().end();
    let mut code = CodeSection::new();
    code.function(&start);

    let mut contents = DataSection::new();
    contents.active(0, &ConstExpr::global_get(0), data.iter().copied());

    let mut module = Module::new();
    module
        .section(&CustomSection { name: "dylink.0".into(), data: dylink(data.len()).into() })
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&exports)
        .section(&code)
        .section(&contents);
    module.finish()
}

/// What a dynamic linker has to know: the memory it needs, and whom it needs
/// to be loaded before it.
fn dylink(data_size: usize) -> Vec<u8> {
    const MEMORY: u8 = 1;
    const NEEDED: u8 = 2;
    const LIBC: &str = "libc.so";
    let mut section = Vec::new();
    let mut subsection = |id: u8, body: &[u8]| {
        section.push(id);
        section.push(body.len() as u8);
        section.extend_from_slice(body);
    };
    // Sizes below 128 are one byte each.
    assert!(data_size < 128, "the variables have outgrown a size of one byte");
    subsection(MEMORY, &[data_size as u8, 0, 0, 0]);
    let mut needed = vec![1, LIBC.len() as u8];
    needed.extend_from_slice(LIBC.as_bytes());
    subsection(NEEDED, &needed);
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_valid() {
        wasmparser::Validator::new().validate_all(&library()).unwrap();
    }
}
