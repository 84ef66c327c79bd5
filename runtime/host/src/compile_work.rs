//! How much work a component is to compile, at worst, told from its bytes in
//! one pass over them.
//!
//! A compiler that optimises is not linear: a few kilobytes of loops in loops
//! can keep it busy for hours and fill the memory. So each function is given a
//! cost from what makes the compiler slow, and a component whose functions
//! cost more than [`Limits::compile_work`] is refused before it is compiled.
//! `unskew-hostile slow` measures the formula's worst cases.

use wasmparser::{
    BlockType, CompositeInnerType, FunctionBody, Operator, Parser, Payload, SubType, TypeRef,
};

use crate::error::LoadError;
use crate::limits::Limits;

/// Refuses a component that would take too long to compile.
pub(crate) fn check_work(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let mut module = CoreTypes::default();
    let mut work = 0_u64;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { .. } => module = CoreTypes::default(),
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.map_err(damaged)?.into_types() {
                        module.types.push(Arity::of(&ty));
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(ty) = import.map_err(damaged)?.ty {
                        module.functions.push(ty);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                module.imported = module.functions.len();
                for ty in section {
                    module.functions.push(ty.map_err(damaged)?);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let ty = module.functions.get(module.imported + module.bodies);
                module.bodies += 1;
                let arity = module.arity(ty.copied());
                let shape = Shape::of(&body, arity, &module, limits)?;
                let (values, alone) = (shape.values(), shape.work());
                if values > limits.function_values {
                    return Err(exceeded("values in one function", values, limits.function_values));
                }
                if alone > limits.function_work {
                    let what = "units of work to compile one function";
                    return Err(exceeded(what, alone, limits.function_work));
                }
                work = work.saturating_add(alone);
                if work > limits.compile_work {
                    return Err(exceeded("units of work to compile", work, limits.compile_work));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn damaged(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::NotAComponent(error.to_string())
}

fn exceeded(what: &'static str, found: u64, limit: u64) -> LoadError {
    LoadError::LimitExceeded { what, found, limit }
}

/// How many values a function or block takes and gives.
#[derive(Clone, Copy, Default)]
struct Arity {
    parameters: u64,
    results: u64,
}

impl Arity {
    fn of(ty: &SubType) -> Self {
        match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => {
                Self { parameters: ty.params().len() as u64, results: ty.results().len() as u64 }
            }
            _ => Self::default(),
        }
    }

    fn total(self) -> u64 {
        self.parameters + self.results
    }
}

/// What operators refer to.
#[derive(Default)]
struct CoreTypes {
    types: Vec<Arity>,
    /// The type of each function, the imported ones first.
    functions: Vec<u32>,
    imported: usize,
    bodies: usize,
}

impl CoreTypes {
    // An index of nothing is the validator's business: it comes later.
    fn arity(&self, ty: Option<u32>) -> Arity {
        ty.and_then(|ty| self.types.get(ty as usize)).copied().unwrap_or_default()
    }

    fn callee(&self, function: u32) -> Arity {
        self.arity(self.functions.get(function as usize).copied())
    }

    fn block(&self, ty: BlockType) -> Arity {
        match ty {
            BlockType::Empty => Arity::default(),
            BlockType::Type(_) => Arity { parameters: 0, results: 1 },
            BlockType::FuncType(ty) => self.arity(Some(ty)),
        }
    }
}

/// What of a function makes the compiler slow.
#[derive(Debug, Default)]
struct Shape {
    /// Operators, heavy ones counted several times.
    operators: u64,
    /// Ways for control to go, those inside of heavy operators included.
    branches: u64,
    locals: u64,
    /// Values that meet where ways meet: for each such place the locals that
    /// were set on one of the ways, once for each way.
    meeting: u64,
    /// Steps that it took to find this out.
    steps: u64,
}

impl Shape {
    /// Microseconds to compile it, at worst and on one core, as measured on
    /// two shared cores of a server: what is quadratic in the compiler is so
    /// here.
    fn work(&self) -> u64 {
        let Self { operators, branches, locals, meeting, steps } = *self;
        let linear = 3 * operators + 25 * branches + steps / 10 + 90;
        // A local is looked for through all the places where ways meet.
        let lookups = locals.saturating_mul(branches).saturating_mul(6) / 5;
        // The optimiser's tables have as many levels as branches are nested.
        let levels = operators.saturating_mul(branches) / 250;
        // The register allocator joins the values that meet, one by one.
        let joins = meeting.saturating_mul(branches * 22 + locals * 6) / 1000;
        linear.saturating_add(lookups).saturating_add(levels).saturating_add(joins)
    }

    /// About what the compiler keeps in memory for it, a kilobyte for each.
    fn values(&self) -> u64 {
        let Self { operators, branches, locals, meeting, steps: _ } = *self;
        operators + 3 * branches + meeting + locals.saturating_mul(branches) / 8
    }

    fn of(
        body: &FunctionBody<'_>,
        arity: Arity,
        types: &CoreTypes,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        let mut locals = arity.parameters;
        for group in body.get_locals_reader().map_err(damaged)? {
            locals += u64::from(group.map_err(damaged)?.0);
        }
        if locals > u64::from(limits.locals) {
            return Err(exceeded("locals in one function", locals, u64::from(limits.locals)));
        }
        let shape = Self { locals, ..Self::default() };
        let mut walk = Walk { shape, open: Vec::new(), last_set: vec![0; locals as usize], ids: 0 };
        walk.enter(Frame { is_loop: false, arity: arity.results, ways: 1, ..Frame::default() });
        for operator in body.get_operators_reader().map_err(damaged)? {
            walk.operator(&operator.map_err(damaged)?, types);
            let (nesting, loops) = (walk.open.len(), walk.open.last().map_or(0, |f| f.loops));
            if nesting > limits.block_nesting as usize {
                let limit = u64::from(limits.block_nesting);
                return Err(exceeded("blocks inside of each other", nesting as u64, limit));
            }
            if loops > limits.loop_nesting {
                let limit = u64::from(limits.loop_nesting);
                return Err(exceeded("loops inside of each other", u64::from(loops), limit));
            }
            if walk.shape.steps / 10 > limits.function_work {
                break;
            }
        }
        Ok(walk.shape)
    }
}

/// A block, loop or if that is open.
#[derive(Default)]
struct Frame {
    /// Frames are numbered in the order in which they open, from 1.
    id: u64,
    is_loop: bool,
    /// How many loops are open, this one included.
    loops: u32,
    /// Values that it passes on.
    arity: u64,
    /// Ways that lead to where it begins (a loop) or ends (any other).
    ways: u64,
    /// Locals that are set in it.
    set: u64,
    /// The `br_table` that has counted it last.
    counted: u64,
}

struct Walk {
    shape: Shape,
    open: Vec<Frame>,
    /// For each local the innermost frame that was open when it was set: that
    /// frame and all around it know of it.
    last_set: Vec<u64>,
    ids: u64,
}

impl Walk {
    fn enter(&mut self, mut frame: Frame) {
        self.ids += 1;
        frame.id = self.ids;
        frame.loops = self.open.last().map_or(0, |f| f.loops) + u32::from(frame.is_loop);
        self.open.push(frame);
    }

    fn leave(&mut self) {
        if let Some(Frame { arity, ways, set, .. }) = self.open.pop()
            && ways > 1
        {
            self.shape.meeting += (set + arity + 1).saturating_mul(ways);
        }
    }

    fn set(&mut self, local: u32) {
        let Some(last) = self.last_set.get_mut(local as usize) else { return };
        for frame in self.open.iter_mut().rev() {
            if frame.id <= *last {
                break;
            }
            frame.set += 1;
            self.shape.steps += 1;
        }
        *last = self.open.last().map_or(0, |frame| frame.id);
    }

    fn branch(&mut self, depth: u32) {
        let at = self.open.len().checked_sub(depth as usize + 1);
        if let Some(frame) = at.and_then(|at| self.open.get_mut(at)) {
            frame.ways += 1;
            self.shape.operators += frame.arity;
        }
        self.shape.branches += 1;
    }

    fn weigh(&mut self, operators: u64, branches: u64) {
        self.shape.operators += operators;
        self.shape.branches += branches;
    }

    fn operator(&mut self, operator: &Operator<'_>, types: &CoreTypes) {
        match operator {
            Operator::Block { blockty } => {
                let arity = types.block(*blockty);
                self.weigh(1 + arity.total(), 1);
                self.enter(Frame { arity: arity.results, ways: 1, ..Frame::default() });
            }
            Operator::Loop { blockty } => {
                let arity = types.block(*blockty);
                // Fuel and epoch are looked at on the way in and around.
                self.weigh(10 + arity.total(), 3);
                let arity = arity.parameters;
                self.enter(Frame { is_loop: true, arity, ways: 1, ..Frame::default() });
            }
            Operator::If { blockty } => {
                let arity = types.block(*blockty);
                self.weigh(2 + arity.total(), 2);
                self.enter(Frame { arity: arity.results, ways: 2, ..Frame::default() });
            }
            Operator::Else => self.weigh(1, 1),
            Operator::End => {
                self.weigh(1, 0);
                self.leave();
            }
            Operator::Br { relative_depth } => {
                self.weigh(1, 0);
                self.branch(*relative_depth);
            }
            Operator::BrIf { relative_depth } => {
                self.weigh(2, 1);
                self.branch(*relative_depth);
            }
            Operator::BrTable { targets } => {
                self.weigh(2 + u64::from(targets.len()) / 4, 1);
                self.ids += 1;
                let depths = targets.targets().filter_map(Result::ok);
                for depth in depths.chain([targets.default()]) {
                    let at = self.open.len().checked_sub(depth as usize + 1);
                    let frame = at.and_then(|at| self.open.get_mut(at));
                    if frame
                        .is_some_and(|f| std::mem::replace(&mut f.counted, self.ids) != self.ids)
                    {
                        self.branch(depth);
                    }
                }
            }
            Operator::Return => self.weigh(2, 1),
            Operator::Call { function_index } => {
                self.weigh(4 + types.callee(*function_index).total(), 0);
            }
            Operator::CallIndirect { type_index, .. } => {
                self.weigh(10 + types.arity(Some(*type_index)).total(), 2);
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.weigh(1, 0);
                self.set(*local_index);
            }
            // Each is a call, with checks and a way out around it.
            Operator::TableGet { .. }
            | Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::MemoryGrow { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. } => self.weigh(10, 2),
            _ => self.weigh(1, 0),
        }
    }
}
