//! The ways in which guests are let loose on a host.

use anyhow::{Result, bail};
use unskew_host::{CompiledModule, Host, Limits};

use crate::call::{Function, call_failing, call_twice};
use crate::guest::{Attack, Seen};
use crate::module::Module;
use crate::ward::host;

/// Loads `bytes`; what is accepted must work.
pub(crate) fn load(make: impl Fn() -> Vec<u8> + 'static) -> Attack {
    Box::new(move |ward| load_on(&ward.host, &make()))
}

/// As [`load`], on a host with limits of its own.
pub(crate) fn load_within(limits: Limits, make: impl Fn() -> Vec<u8> + 'static) -> Attack {
    Box::new(move |_| load_on(&host(limits.clone())?, &make()))
}

pub(crate) fn load_on(host: &Host, bytes: &[u8]) -> Result<Seen> {
    match host.load(bytes) {
        Ok(module) => call_twice(&module, Function::Transform),
        Err(error) => Ok(Seen::Load(error)),
    }
}

/// Loads a module that misbehaves on row 13 alone, and calls it.
pub(crate) fn call_on_13(function: Function, make: impl Fn() -> Module + 'static) -> Attack {
    Box::new(move |ward| call_twice(&accepted(&ward.host, &make())?, function))
}

/// As [`call_on_13`], on a host with limits of its own.
pub(crate) fn call_within(limits: Limits, make: impl Fn() -> Module + 'static) -> Attack {
    Box::new(move |_| call_twice(&accepted(&host(limits.clone())?, &make())?, Function::Transform))
}

/// Loads a module that misbehaves whenever it is called, and calls it.
pub(crate) fn call_all(make: impl Fn() -> Module + 'static) -> Attack {
    Box::new(move |ward| call_failing(&accepted(&ward.host, &make())?, FEW))
}

/// Rows for calls that all fail, each after all of its fuel.
const FEW: i64 = 3;

pub(crate) fn accepted(host: &Host, module: &Module) -> Result<CompiledModule> {
    match host.load(&module.component()) {
        Ok(module) => Ok(module),
        Err(error) => bail!("refused before it could try: {error}"),
    }
}
