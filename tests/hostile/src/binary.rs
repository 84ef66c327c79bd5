//! Components byte by byte, for what no tool would write.

/// What every component begins with.
pub(crate) const COMPONENT_HEAD: &[u8] = b"\0asm\x0d\0\x01\0";

pub(crate) const CUSTOM: u8 = 0;
pub(crate) const CORE_MODULE: u8 = 1;
pub(crate) const COMPONENT: u8 = 4;
pub(crate) const INSTANCE: u8 = 5;
pub(crate) const TYPE: u8 = 7;

/// A number in LEB128.
pub(crate) fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section of a component or module.
pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    bytes.extend(number(content.len()));
    bytes.extend_from_slice(content);
    bytes
}

/// A component of these sections.
pub(crate) fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT_HEAD, &sections.concat()].concat()
}

/// A custom section.
pub(crate) fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    section(CUSTOM, &[&number(name.len()), name.as_bytes(), content].concat())
}

/// A section with the type of a component (0x41) or an instance (0x42) that
/// holds nothing but such a type, `depth` times.
pub(crate) fn deep_type(tag: u8, depth: usize) -> Vec<u8> {
    let mut types = number(1);
    types.extend([tag, 1, 1].repeat(depth));
    types.extend([tag, 0]);
    section(TYPE, &types)
}

/// Sections with `levels` components, each of which instantiates the one
/// before it `times` times, and an instance of the last. The first has the
/// index `first` among the components.
pub(crate) fn instances_of_instances(first: usize, levels: usize, times: usize) -> Vec<u8> {
    // An alias of a component (sort 4) of the enclosing component: outer (2), one level up.
    let outer =
        |index: usize| section(6, &[&number(1)[..], &[4, 2], &number(1), &number(index)].concat());
    // Instantiates component 0 without arguments.
    let instances = section(INSTANCE, &[number(times), [0, 0, 0].repeat(times)].concat());
    let mut bytes = section(COMPONENT, COMPONENT_HEAD);
    for level in 1..levels {
        let inner = component(&[outer(first + level - 1), instances.clone()]);
        bytes.extend(section(COMPONENT, &inner));
    }
    let last = number(first + levels - 1);
    bytes.extend(section(INSTANCE, &[&number(1)[..], &[0], &last, &[0]].concat()));
    bytes
}
