//! How large a component's own definitions are, all but its core modules: its
//! types, aliases, instances. Read before any other parser sees them, since
//! those recurse into nested types, and repeat a component inside for each of
//! its instances.

use wasmparser::{
    BinaryReader, CanonicalFunction, ComponentImport, ComponentInstance, ComponentType,
    ComponentTypeDeclaration, ComponentTypeRef, Encoding, InstanceTypeDeclaration, Payload,
};

use crate::error::LoadError;
use crate::limits::Limits;

/// Takes the payloads of a component in their order.
#[derive(Default)]
pub(crate) struct Definitions {
    /// The components and modules that are open; nothing for a module.
    open: Vec<Option<Weight>>,
    /// The heaviest of the components that have ended.
    heaviest: u64,
    /// Whether a function was lifted, which others can then lower.
    has_lifted: bool,
}

/// What a component weighs: bytes of its definitions, and how many components
/// it instantiates.
#[derive(Clone, Copy, Default)]
struct Weight {
    bytes: u64,
    instantiations: u64,
}

impl Definitions {
    /// `bytes` are those that the payload was read from.
    pub(crate) fn take(
        &mut self,
        payload: &Payload<'_>,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<(), LoadError> {
        let section = payload.as_section().map(|(_, range)| range.len() as u64);
        match payload {
            Payload::Version { encoding, .. } => {
                let is_component = *encoding == Encoding::Component;
                self.open.push(is_component.then(Weight::default));
            }
            Payload::End(_) => {
                // A component can only instantiate those that ended before it
                // (none is handed in: see below), so none weighs more than this.
                if let Some(Some(Weight { bytes, instantiations })) = self.open.pop() {
                    let inner = instantiations.saturating_mul(self.heaviest);
                    let weight = bytes.saturating_add(inner);
                    let limit = limits.definition_bytes as u64;
                    if weight > limit {
                        let what = "bytes of definitions, counted for each instance";
                        return Err(LoadError::LimitExceeded { what, found: weight, limit });
                    }
                    self.heaviest = self.heaviest.max(weight);
                }
                return Ok(());
            }
            Payload::ComponentTypeSection(_) => {
                if let Some((_, range)) = payload.as_section() {
                    let section = bytes.get(range.clone()).unwrap_or_default();
                    check_types(BinaryReader::new(section, range.start), limits)?;
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let ComponentImport { ty, .. } = import.map_err(damaged)?;
                    check_reference(ty)?;
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    self.check_function(&function.map_err(damaged)?)?;
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { .. } = instance.map_err(damaged)?
                        && let Some(Some(weight)) = self.open.last_mut()
                    {
                        weight.instantiations += 1;
                    }
                }
            }
            _ => {}
        }
        if let (Some(Some(weight)), Some(length)) = (self.open.last_mut(), section)
            && !matches!(
                payload,
                Payload::ModuleSection { .. }
                    | Payload::ComponentSection { .. }
                    | Payload::CustomSection(_)
            )
        {
            weight.bytes += length;
        }
        Ok(())
    }
}

impl Definitions {
    /// Refuses functions that one part of a component hands to another: the
    /// compiler puts adapters between these, whose size has little to do with
    /// that of the component. A module lowers what it imports and then lifts
    /// what it exports, which needs none.
    fn check_function(&mut self, function: &CanonicalFunction) -> Result<(), LoadError> {
        let is_inner = self.open.len() > 1;
        let is_handed_on = match function {
            CanonicalFunction::Lift { .. } => {
                self.has_lifted = true;
                is_inner
            }
            CanonicalFunction::Lower { .. } => is_inner || self.has_lifted,
            _ => false,
        };
        if is_handed_on {
            let what = "functions that one of its parts hands to another";
            return Err(LoadError::LimitExceeded { what, found: 1, limit: 0 });
        }
        Ok(())
    }
}

fn damaged(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::NotAComponent(error.to_string())
}

/// Refuses types that are nested too deeply, without recursion: the parser
/// that comes after this one recurses.
fn check_types(mut reader: BinaryReader<'_>, limits: &Limits) -> Result<(), LoadError> {
    /// What is left to read of a type of a component or instance.
    struct Left {
        declarations: u32,
        of_component: bool,
    }
    let mut types = reader.read_var_u32().map_err(damaged)?;
    let mut open: Vec<Left> = Vec::new();
    loop {
        match open.last_mut() {
            None if types == 0 => return Ok(()),
            None => types -= 1,
            Some(Left { declarations: 0, .. }) => {
                open.pop();
                continue;
            }
            Some(Left { declarations, of_component }) => {
                *declarations -= 1;
                let tag = reader.clone().read_u8().map_err(damaged)?;
                if tag != TYPE_DECLARATION {
                    check_declaration(&mut reader, *of_component)?;
                    continue;
                }
                reader.read_u8().map_err(damaged)?;
            }
        }
        let tag = reader.clone().read_u8().map_err(damaged)?;
        if tag != COMPONENT_TYPE && tag != INSTANCE_TYPE {
            reader.read::<ComponentType<'_>>().map_err(damaged)?;
            continue;
        }
        reader.read_u8().map_err(damaged)?;
        let declarations = reader.read_var_u32().map_err(damaged)?;
        open.push(Left { declarations, of_component: tag == COMPONENT_TYPE });
        if open.len() > limits.nesting {
            let (found, limit) = (open.len() as u64, limits.nesting as u64);
            return Err(LoadError::LimitExceeded { what: "types inside of types", found, limit });
        }
    }
}

/// The bytes that begin a type among the declarations of another type, and
/// the two types that have declarations.
const TYPE_DECLARATION: u8 = 0x01;
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// Reads a declaration that is not a type itself.
fn check_declaration(reader: &mut BinaryReader<'_>, of_component: bool) -> Result<(), LoadError> {
    if of_component {
        match reader.read().map_err(damaged)? {
            ComponentTypeDeclaration::Import(ComponentImport { ty, .. })
            | ComponentTypeDeclaration::Export { ty, .. } => check_reference(ty),
            _ => Ok(()),
        }
    } else {
        match reader.read().map_err(damaged)? {
            InstanceTypeDeclaration::Export { ty, .. } => check_reference(ty),
            _ => Ok(()),
        }
    }
}

/// Refuses components that are handed in from outside: how often those are
/// instantiated could not be told here.
fn check_reference(ty: ComponentTypeRef) -> Result<(), LoadError> {
    match ty {
        ComponentTypeRef::Component(_) => Err(LoadError::LimitExceeded {
            what: "components that a component takes as arguments",
            found: 1,
            limit: 0,
        }),
        _ => Ok(()),
    }
}
