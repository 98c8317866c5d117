//! Two documents side by side: what has become slower.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::FORMAT;

/// A row of both documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What was measured.
    pub name: String,
    /// Median seconds in the first document, and in the second.
    pub seconds: [f64; 2],
}

/// Two documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The devices and how they were timed, where these differ: then the ratios are not those of two programs.
    pub differs: Option<[String; 2]>,
    /// Rows of both, the one that has become slowest first.
    pub changes: Vec<Change>,
    /// Rows of the first alone, and of the second.
    pub only: [Vec<String>; 2],
}

impl Change {
    /// Seconds of the second document for each of the first: above 1 it has become slower.
    pub fn ratio(&self) -> f64 {
        self.seconds[1] / self.seconds[0]
    }
}

impl Comparison {
    /// Rows that take more than `threshold`, a share, longer than they did.
    pub fn slower(&self, threshold: f64) -> usize {
        self.changes.iter().filter(|change| change.ratio() > 1.0 + threshold).count()
    }
}

/// Compares two documents of `lookalike bench --json`.
///
/// # Errors
/// Which of them (0 or 1) is none, and why.
pub fn compare(documents: [&Value; 2]) -> Result<Comparison, (usize, String)> {
    let of = |index: usize| rows(documents[index]).map_err(|problem| (index, problem));
    let [mut before, mut after] = [of(0)?, of(1)?];
    let [old, new] = documents.map(measured_by);
    let names: Vec<String> = before.keys().filter(|name| after.contains_key(*name)).cloned().collect();
    let take = |rows: &mut BTreeMap<String, f64>, name: &str| rows.remove(name).expect("a name of both");
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| Change { seconds: [take(&mut before, &name), take(&mut after, &name)], name })
        .collect();
    changes.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    let only = [before, after].map(|rows| rows.into_keys().collect());
    Ok(Comparison { differs: (old != new).then_some([old, new]), changes, only })
}

fn measured_by(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let device = &document["device"];
    [&device["name"], &device["driver"], &document["clock"]].map(text).join(", ")
}

/// Median seconds by name. Rows of one name, such as two sums of one shape in one layer, are numbered.
fn rows(document: &Value) -> Result<BTreeMap<String, f64>, String> {
    match document["format"].as_str() {
        Some(FORMAT) => {}
        Some(other) => return Err(format!("has format '{other}', expected '{FORMAT}'; measure again")),
        None => return Err("is not a document of `lookalike bench --json`".into()),
    }
    let mut rows = BTreeMap::new();
    for (list, fields) in [
        ("operators", &["work", "layer", "operator", "inputs"][..]),
        ("networks", &["work"]),
        ("variants", &["work", "operator", "inputs", "variant"]),
    ] {
        let entries = document[list].as_array().ok_or_else(|| format!("has no list '{list}'"))?;
        for (index, entry) in entries.iter().enumerate() {
            let at = |field: &str| format!("{list}[{index}] has no usable '{field}'");
            let mut name = Vec::new();
            for &field in fields {
                name.push(entry[field].as_str().ok_or_else(|| at(field))?);
            }
            name.retain(|part| !part.is_empty());
            let seconds = entry["median"].as_f64().filter(|&s| s > 0.0 && s.is_finite());
            let seconds = seconds.ok_or_else(|| at("median"))?;
            let name = name.join(" · ");
            let numbered = (2..).map(|number| format!("{name} ({number})"));
            let free = std::iter::once(name.clone()).chain(numbered).find(|name| !rows.contains_key(name));
            rows.insert(free.expect("numbers do not end"), seconds);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(operators: &[(&str, f64)], step: f64) -> Value {
        let row = |&(layer, median): &(&str, f64)| json!({"work": "w", "layer": layer, "operator": "conv2d", "inputs": "f32 [1]", "median": median});
        json!({
            "format": FORMAT,
            "device": {"name": "cpu", "driver": null},
            "clock": "host",
            "operators": operators.iter().map(row).collect::<Vec<_>>(),
            "networks": [{"work": "w", "median": step}],
            "variants": [{"work": "w", "operator": "conv2d", "inputs": "f32 [1]", "variant": "narrow", "median": 1}],
        })
    }

    #[test]
    fn slower_rows_come_first_and_strangers_are_listed() {
        let before = document(&[("a", 1.0), ("b", 2.0), ("b", 3.0), ("gone", 1.0)], 8.0);
        let after = document(&[("a", 1.2), ("b", 1.0), ("b", 3.0), ("new", 1.0)], 8.4);
        let comparison = compare([&before, &after]).unwrap();
        let names: Vec<&str> = comparison.changes.iter().map(|change| change.name.as_str()).collect();
        let of = |layer| format!("w · {layer} · conv2d · f32 [1]");
        let variant = "w · conv2d · f32 [1] · narrow";
        assert_eq!(names, [&of("a"), "w", &format!("{} (2)", of("b")), variant, &of("b")]);
        assert_eq!(comparison.only, [vec![of("gone")], vec![of("new")]]);
        assert_eq!(comparison.differs, None);
        assert_eq!([0.3, 0.1, 0.01].map(|threshold| comparison.slower(threshold)), [0, 1, 2]);
    }

    #[test]
    fn what_is_no_document_is_named() {
        let good = document(&[("a", 1.0)], 1.0);
        let mut other = good.clone();
        other["format"] = "lookalike-bench-9".into();
        assert!(compare([&good, &other]).unwrap_err().1.contains("'lookalike-bench-9'"));
        assert_eq!(compare([&json!([1]), &good]).unwrap_err().0, 0);
        for median in [json!(null), json!(0), json!("1"), json!(-1.0)] {
            let mut broken = good.clone();
            broken["operators"][0]["median"] = median;
            assert_eq!(
                compare([&good, &broken]),
                Err((1, "operators[0] has no usable 'median'".to_string()))
            );
        }
        let mut elsewhere = good.clone();
        elsewhere["device"]["name"] = "gpu".into();
        assert!(compare([&good, &elsewhere]).unwrap().differs.is_some());
    }
}
