//! `std/math`: numbers, beyond what operators and methods do.

use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::Value;

pub const MODULE: StdModule = StdModule {
    import: "std/math",
    about: "Numbers, beyond what operators and methods (`abs`, `round`, `clamp`, `min`, `max`, `sqrt`) do.",
    text: include_str!("../rhai/math.rhai"),
    natives: &[
        NativeFunction {
            signature: "math::ln(x: float) -> float",
            docs: "The natural logarithm.\n    math::ln(1) // => 0.0",
            run: |given| {
                let x = positive(given)?;
                finite(given, x.ln())
            },
        },
        NativeFunction {
            signature: "math::log2(x: float) -> float",
            docs: "The logarithm to base 2.\n    math::log2(1024) // => 10.0",
            run: |given| {
                let x = positive(given)?;
                finite(given, x.log2())
            },
        },
        NativeFunction {
            signature: "math::log10(x: float) -> float",
            docs: "The logarithm to base 10.\n    math::log10(1000) // => 3.0",
            run: |given| {
                let x = positive(given)?;
                finite(given, x.log10())
            },
        },
        NativeFunction {
            signature: "math::exp(x: float) -> float",
            docs: "e to the power of a number.\n    math::exp(0) // => 1.0",
            run: |given| {
                let x = given.number(0)?;
                finite(given, x.exp())
            },
        },
    ],
};

fn positive(given: &Arguments<'_, '_>) -> Result<f64, Fault> {
    match given.number(0)? {
        x if x > 0.0 => Ok(x),
        x => Err(given.invalid(format!("{x} has no logarithm"))),
    }
}

fn finite(given: &Arguments<'_, '_>, value: f64) -> Result<Value, Fault> {
    if value.is_finite() { Ok(Value::Float(value)) } else { Err(given.invalid("the result is too large")) }
}
