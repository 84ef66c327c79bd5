//! Components byte by byte, for what no tool would write.

/// What every component begins with.
pub(crate) const COMPONENT_HEAD: &[u8] = b"\0asm\x0d\0\x01\0";

pub(crate) const CUSTOM: u8 = 0;
pub(crate) const CORE_MODULE: u8 = 1;
pub(crate) const CORE_INSTANCE: u8 = 2;
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

/// A section with lists of lists, `depth` of them.
pub(crate) fn deep_lists(depth: usize) -> Vec<u8> {
    let mut types = number(depth + 1);
    types.push(0x7d);
    for item in 0..depth {
        types.push(0x70);
        // An index is a signed number: one byte more where its top bit would be a sign.
        let mut index = number(item);
        let last = index.len() - 1;
        if index[last] & 0x40 != 0 {
            index[last] |= 0x80;
            index.push(0);
        }
        types.extend(index);
    }
    section(TYPE, &types)
}

/// A section with instances, each of which exports the one before it.
pub(crate) fn instances_in_instances(depth: usize) -> Vec<u8> {
    let mut instances = number(depth + 1);
    instances.extend([1, 0]);
    for inner in 0..depth {
        // One export, by the name `a`, of an instance (sort 5).
        instances.extend([1, 1, 0, 1, b'a', 5]);
        instances.extend(number(inner));
    }
    section(INSTANCE, &instances)
}

/// Sections with a component that has `inner` instances of a core module, and
/// `outer` instances of it. Its index among the components is `first`.
pub(crate) fn many_core_instances(first: usize, inner: usize, outer: usize) -> Vec<u8> {
    let module = section(CORE_MODULE, b"\0asm\x01\0\0\0");
    let of_module = section(CORE_INSTANCE, &[number(inner), [0, 0, 0].repeat(inner)].concat());
    let many = section(COMPONENT, &component(&[module, of_module]));
    let instance = [&[0][..], &number(first), &[0]].concat();
    let of_many = section(INSTANCE, &[number(outer), instance.repeat(outer)].concat());
    [many, of_many].concat()
}

/// A core module with `count` types, each unlike the others.
pub(crate) fn many_core_types(count: usize) -> Vec<u8> {
    let mut types = number(count);
    for index in 0..count {
        types.extend([0x60, 20]);
        // i32 or i64, by the bits of the index.
        types.extend((0..20).map(|bit| 0x7f - (index >> bit & 1) as u8));
        types.push(0);
    }
    section(CORE_MODULE, &[b"\0asm\x01\0\0\0", &section(1, &types)[..]].concat())
}
