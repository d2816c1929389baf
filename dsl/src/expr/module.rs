//! Modules that ship with the program: Rhai text, and functions in Rust behind one interface.
//!
//! This crate has none of its own. Whoever builds the sandbox passes them in, and a runbook imports them by name. A
//! function in Rust is pure: it has its arguments and the meter, and what it takes and gives is paid for around it.

use std::fmt;

use super::fault::{Checked, Fault};
use super::library;
use super::meter::Meter;
use super::operand::Operand;
use super::operators::article;
use super::size;
use crate::value::{Map, Millis, Timestamp, Value};

/// A module that ships with the program.
#[derive(Clone, Copy, Debug)]
pub struct StdModule {
    /// What a runbook imports: `std/text`. Expressions call its functions under the last part.
    pub import: &'static str,
    /// What it is for, for people.
    pub about: &'static str,
    /// Its functions in Rhai. They may call those in Rust by their bare names.
    pub text: &'static str,
    /// Its functions in Rust.
    pub natives: &'static [NativeFunction],
}

/// A function in Rust of a module.
#[derive(Clone, Copy)]
pub struct NativeFunction {
    /// How it is called: `text::shorten(text: string, length: int) -> string`. Functions of one name differ by their
    /// number of parameters.
    pub signature: &'static str,
    /// What it does, for people; examples are indented and say behind `// =>` what they give.
    pub docs: &'static str,
    /// Does it. The arguments are as many as the signature has parameters.
    pub run: fn(&mut Arguments<'_, '_>) -> Result<Value, Fault>,
}

impl NativeFunction {
    /// Its name within its module.
    pub fn name(&self) -> &'static str {
        self.qualified_name().rsplit("::").next().unwrap_or_default()
    }

    /// How many arguments it takes.
    pub fn parameters(&self) -> usize {
        library::parameters(self.signature)
    }

    fn qualified_name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or_default()
    }

    /// Runs it on arguments, which are paid for before and checked by it, and pays for what it gives.
    pub(super) fn call(&self, given: &[Operand], meter: &mut Meter) -> Checked<Value> {
        let given: Vec<_> = given.iter().map(Operand::value).collect();
        for value in given.iter().flatten() {
            size::pay(value, meter)?;
        }
        let value = (self.run)(&mut Arguments { name: self.qualified_name(), given, meter })?;
        size::check(&value, meter)?;
        Ok(value)
    }
}

impl fmt::Debug for NativeFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature)
    }
}

/// What a function in Rust is called with.
pub struct Arguments<'a, 'm> {
    name: &'static str,
    /// `None` for a function, which is no value.
    given: Vec<Option<&'a Value>>,
    meter: &'m mut dyn Charge,
}

/// Takes operations off a budget, whoever gave that.
trait Charge {
    fn charge(&mut self, operations: u64) -> Checked<()>;
}

impl Charge for Meter<'_> {
    fn charge(&mut self, operations: u64) -> Checked<()> {
        Meter::charge(self, operations)
    }
}

impl<'a> Arguments<'a, '_> {
    /// Pays for work beyond looking at each argument once and at the result once.
    ///
    /// # Errors
    /// The budget is used up.
    pub fn charge(&mut self, operations: usize) -> Result<(), Fault> {
        self.meter.charge(operations as u64)
    }

    /// Checks that a text of so many bytes may be built, before it is.
    ///
    /// # Errors
    /// It would be longer than an expression may build.
    pub fn will_build(&self, bytes: usize) -> Result<(), Fault> {
        size::fits(bytes)
    }

    /// Checks that so many lists and maps may be built inside each other, before they are: a value nested deeper cannot
    /// even be dropped, since that follows it on the stack.
    ///
    /// # Errors
    /// They are more than an expression may build.
    pub fn will_nest(&self, levels: usize) -> Result<(), Fault> {
        size::levels_fit(levels)
    }

    /// Any value.
    ///
    /// # Errors
    /// A function, which is no value.
    pub fn value(&self, index: usize) -> Result<&'a Value, Fault> {
        self.given[index].ok_or_else(|| self.wrong(index, "a value"))
    }

    /// Text.
    ///
    /// # Errors
    /// Anything else; so for the others.
    pub fn text(&self, index: usize) -> Result<&'a str, Fault> {
        match self.given[index] {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.wrong(index, "a string")),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn int(&self, index: usize) -> Result<i64, Fault> {
        match self.given[index] {
            Some(Value::Int(value)) => Ok(*value),
            _ => Err(self.wrong(index, "an int")),
        }
    }

    /// A whole number from 0 on.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn count(&self, index: usize) -> Result<usize, Fault> {
        usize::try_from(self.int(index)?).map_err(|_| self.wrong(index, "an int that is not negative"))
    }

    /// A number, whole or not.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn number(&self, index: usize) -> Result<f64, Fault> {
        match self.given[index] {
            #[expect(clippy::cast_precision_loss, reason = "what a float is for")]
            Some(Value::Int(value)) => Ok(*value as f64),
            Some(Value::Float(value)) => Ok(*value),
            _ => Err(self.wrong(index, "a number")),
        }
    }

    /// A list.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn list(&self, index: usize) -> Result<&'a [Value], Fault> {
        match self.given[index] {
            Some(Value::List(list)) => Ok(list),
            _ => Err(self.wrong(index, "a list")),
        }
    }

    /// A map.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn map(&self, index: usize) -> Result<&'a Map, Fault> {
        match self.given[index] {
            Some(Value::Map(map)) => Ok(map),
            _ => Err(self.wrong(index, "a map")),
        }
    }

    /// A time.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn time(&self, index: usize) -> Result<Timestamp, Fault> {
        match self.given[index] {
            Some(Value::Time(time)) => Ok(*time),
            _ => Err(self.wrong(index, "a time")),
        }
    }

    /// A duration.
    ///
    /// # Errors
    /// As [`Arguments::text`].
    pub fn duration(&self, index: usize) -> Result<Millis, Fault> {
        match self.given[index] {
            Some(Value::Duration(length)) => Ok(*length),
            _ => Err(self.wrong(index, "a duration")),
        }
    }

    /// The fault of a value that the function cannot do anything with.
    pub fn invalid(&self, message: impl fmt::Display) -> Fault {
        Fault::invalid(format!("`{}`: {message}", self.name))
    }

    fn wrong(&self, index: usize, wanted: &str) -> Fault {
        let given = article(self.given[index].map_or("function", Value::type_name));
        let fault = Fault::invalid(format!("`{}` needs {wanted}, not {given}", self.name));
        match self.given[index] {
            Some(Value::Null) => fault.help("`()` means that there is no value; give one to use instead with `??`"),
            Some(Value::Secret(_)) => {
                fault.help("a secret is not known before it is used, so nothing can be computed of it")
            }
            _ => fault,
        }
    }
}
