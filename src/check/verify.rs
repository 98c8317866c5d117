//! Kernel variants, checked on the device that is to use them.

use super::{Check, Failure, normal};
use crate::Device;
use crate::graph::{Graph, Var};
use crate::ops::{Activation, Conv2d, Padding, Pool2d, Transpose, tensor_core_variants};

pub(super) type Case = (Check, Box<dyn Fn(&mut Graph, &[Var]) -> crate::Result<Vec<Var>>>);

/// Checks a kernel variant on a GPU: small layers whose sizes fit no tile, and their gradients, within the variant's error
/// of the `f64` twins, with outputs poisoned before and guard words behind them. A variant that needs leave is given it
/// for the checks alone.
///
/// # Errors
/// [`Failure`] with the worst element, with what the driver said, or because no layer can be computed by the variant there.
pub fn verify(device: &Device, variant: &str) -> Result<(), Failure> {
    let device = device.allowing(variant);
    let mut computed = 0;
    for (check, build) in cases() {
        computed += usize::from(check.check_on(&device, variant, &build)?);
    }
    match computed {
        0 => Err(Check::new("all").failure(&device, &format!("variant {variant} is not offered"))),
        _ => Ok(()),
    }
}

/// A kernel variant, and what came of its check.
pub type Verdict = (&'static str, Result<(), Failure>);

/// The device, allowing those of its tensor cores' kernel variants that pass [`verify`]; and all of them.
pub fn verified_tensor_cores(device: &Device) -> (Device, Vec<Verdict>) {
    let verified: Vec<_> =
        tensor_core_variants(device).into_iter().map(|name| (name, verify(device, name))).collect();
    let passed = verified.iter().filter(|(_, result)| result.is_ok());
    (passed.fold(device.clone(), |device, (name, _)| device.allowing(name)), verified)
}

/// Products of all kinds: whole and split depths, rows and columns that are multiples of four and that are not.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for [rows, columns, depth] in [[70, 65, 43], [36, 132, 300]] {
        let check = Check::new(&format!("dense layer, {rows} x {depth} to {columns}"))
            .input(normal([rows, depth], 1))
            .input(normal([depth, columns], 2))
            .input(normal([columns], 3))
            .terms(rows.max(columns).max(depth) + 1);
        cases.push(case(check, |graph, v| {
            Ok(vec![graph.dense(v[0], v[1], Some(v[2]), Activation::Linear)?])
        }));
    }
    for (channels, out, window) in [(5, 35, 2), (24, 72, 3)] {
        let layer = |name: &str| {
            Check::new(&format!("{name}, {window} x {window}, {channels} channels to {out}"))
                .input(normal([2, 9, 7, channels], 1))
                .input(normal([window, window, channels, out], 2))
                .input(normal([out], 3))
                .terms((window * window * channels.max(out)).max(2 * 9 * 7) + 1)
        };
        let same = Conv2d { padding: Padding::Same, ..Conv2d::default() };
        cases.push(case(layer("convolution"), move |graph, v| {
            Ok(vec![graph.conv2d(v[0], v[1], Some(v[2]), same)?])
        }));
        cases.push(case(layer("convolution, pooled").without_gradients(), move |graph, v| {
            let y = graph.conv2d(v[0], v[1], Some(v[2]), same)?;
            Ok(vec![graph.max_pool2d(y, Pool2d::square(2))?])
        }));
    }
    let routed = Check::new("gradients routed through a pooling, 24 channels to 72")
        .input(normal([2, 9, 7, 24], 1))
        .input(normal([3, 3, 24, 72], 2))
        .input(normal([2, 9, 7, 72], 3))
        .terms(9 * 72)
        .without_gradients();
    cases.push(case(routed, |graph, v| {
        let same = Conv2d { padding: Padding::Same, ..Conv2d::default() };
        let y = graph.conv2d(v[0], v[1], None, same)?;
        let [maxima, winners] = graph.max_pool2d_with_winners(v[2])?;
        let dy = graph.max_unpool2d(maxima, winners, [9, 7])?;
        graph.gradients_of(&[(y, dy)], &[v[0], v[1]])
    }));
    let turned = Check::new("both factors transposed").input(normal([33, 66], 1)).input(normal([40, 33], 2));
    cases.push(case(turned.terms(66), |graph, v| {
        Ok(vec![graph.matmul(v[0], v[1], Transpose { a: true, b: true })?])
    }));
    cases
}

pub(super) fn case(
    check: Check,
    build: impl Fn(&mut Graph, &[Var]) -> crate::Result<Vec<Var>> + 'static,
) -> Case {
    (check, Box::new(build))
}
