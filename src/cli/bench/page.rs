//! The page: facts, the plot, and the numbers behind it. One file that asks nothing of a network.

use std::fmt::Write;

use lookalike::check::bench::{Bench, Measured, Roof, Whole};
use lookalike::report::escaped;

use super::plot::{COLOURS, Dot, plot};
use super::table::{notable, of_roof, shapes};
use super::variants::{EFFECTIVE, add_html};
use crate::cli::display::percent;
use crate::cli::display::quantity::{bytes, flops, rate, seconds};

const STYLE: &str = include_str!("page.css");

/// The page of what was measured.
pub fn page(bench: &Bench) -> String {
    let mut body = String::new();
    for fact in bench.facts() {
        let _ = writeln!(body, "<p>{}</p>", escaped(&fact));
    }
    let dots = dots(bench);
    let _ = writeln!(
        body,
        r#"<figure class="scroll">{}</figure>"#,
        plot(&dots, &bench.roof(), bench.ceilings.half.as_ref().map(|half| half.rate))
    );
    body += r#"<p class="legend">"#;
    let titles = bench.groups.iter().map(|group| &group.title).chain(bench.contests.iter().map(|c| &c.title));
    let titles: Vec<&String> = titles.collect();
    for (index, title) in titles.iter().enumerate() {
        let _ = write!(body, r#"<span class="g{}">● {}</span> "#, index % COLOURS, escaped(title));
    }
    body += "</p>\n<p>Work below the slope waits for memory, work below the flat line for arithmetic. Numbers are those \
             of the tables; what computes nothing has no place in the plot. A share above 100 % means that tensors \
             stayed in caches, or Winograd's method: ";
    let _ = writeln!(body, "{EFFECTIVE}.</p>");
    add_networks(&mut body, &bench.wholes, &bench.roof());
    add_operators(&mut body, bench);
    add_html(&mut body, bench);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Roofline of {0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Roofline of {0}</h1>\n\
         {body}</body>\n</html>\n",
        escaped(&bench.device.gpu().map_or("the CPU".into(), |gpu| gpu.info().name.clone()))
    )
}

/// The notable operators, numbered through all groups.
fn dots(bench: &Bench) -> Vec<Dot> {
    if !bench.contests.is_empty() {
        return variants(bench);
    }
    let of_groups = bench.groups.iter().enumerate();
    let rows = of_groups
        .flat_map(|(group, rows)| notable(rows, false).0.into_iter().map(move |(row, _)| (group, row)));
    rows.zip(1..)
        .map(|((group, row), number)| Dot { number, group, name: row.name(), point: row.point() })
        .collect()
}

/// The variants, numbered through all contests, which are the groups.
fn variants(bench: &Bench) -> Vec<Dot> {
    let of_contests = bench.contests.iter().enumerate();
    let rows = of_contests.flat_map(|(group, contest)| contest.variants.iter().map(move |v| (group, v)));
    rows.zip(1..)
        .map(|((group, variant), number)| Dot {
            number,
            group,
            name: format!("{}, {}", bench.contests[group].operator, variant.name),
            point: variant.row.point(),
        })
        .collect()
}

fn add_networks(body: &mut String, wholes: &[Whole], roof: &Roof) {
    if wholes.is_empty() {
        return;
    }
    let cells = |whole: &Whole| {
        let traffic = whole.traffic;
        [
            escaped(&whole.title),
            seconds(whole.median()),
            format!("{:.1}", whole.pictures_per_second()),
            rate(whole.flops, whole.median(), flops),
            of_roof(roof.share(&whole.point())),
            bytes(traffic.moved as f64),
            bytes(traffic.least as f64),
        ]
    };
    let head = ["network", "time", "pictures/s", "FLOP/s", "of roof", "bytes moved", "least"];
    *body += "<h2>Networks</h2>\n";
    add_table(body, "networks", head, wholes.iter().map(cells));
    *body += "<p>With pictures written and answers read, by the host's clock. The least is what goes in, the states that \
              are read and changed, and what comes out: all else might stay on the chip.</p>\n";
}

fn add_operators(body: &mut String, bench: &Bench) {
    let roof = bench.roof();
    let mut numbers = 1..;
    for group in &bench.groups {
        let (rows, others) = notable(group, false);
        let _ = writeln!(body, "<h2>{}</h2>", escaped(&group.title));
        let head = ["#", "operator", "inputs", "time", "share", "FLOP/s", "bytes/s", "of roof", "bound"];
        let cells = |(row, share): (&Measured, f64)| {
            let point = row.point();
            [
                numbers.next().unwrap_or_default().to_string(),
                escaped(&row.name()),
                escaped(&shapes(row)),
                seconds(point.seconds),
                percent(share),
                rate(row.flops, point.seconds, flops),
                rate(row.bytes, point.seconds, bytes),
                of_roof(roof.share(&point)),
                roof.bound(&point).to_string(),
            ]
        };
        add_table(body, "operators", head, rows.into_iter().map(cells));
        if others > 0 {
            let _ = writeln!(body, "<p>{others} others take less than half a percent of the time each.</p>");
        }
    }
}

/// Adds a table; what is in its cells is HTML.
pub fn add_table<const N: usize>(
    body: &mut String,
    class: &str,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let row = |cells: &[String], tag: &str| -> String {
        cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect()
    };
    let _ = writeln!(
        body,
        r#"<div class="scroll"><table class="{class}"><tr>{}</tr>"#,
        row(&head.map(String::from), "th")
    );
    rows.for_each(|cells| _ = writeln!(body, "<tr>{}</tr>", row(&cells, "td")));
    *body += "</table></div>\n";
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookalike::Device;
    use lookalike::check::bench::{Ceiling, Ceilings, Group};
    use lookalike::graph::Traffic;

    fn bench() -> Bench {
        let ceiling = |rate| Ceiling { rate, how: "a <test>".into(), amount: 1, seconds: vec![1.0] };
        let row = |layer: &str, flops, bytes| Measured {
            layer: layer.into(),
            operator: "conv2d",
            inputs: "f32 [2, 3]".into(),
            kernels: vec!["conv2d/forward".into()],
            flops,
            bytes,
            seconds: vec![0.5, 1.0, 2.0],
        };
        let rows = vec![row("a&b", 1_000_000, 1000), row("copy", 0, 5000), row("c", 3000, 90_000)];
        let traffic = Traffic { moved: 96_000, least: 30_000 };
        let title = "scratch, prediction, 2 pictures".to_string();
        Bench {
            device: Device::cpu(),
            ceilings: Ceilings {
                memory: ceiling(1e5),
                compute: ceiling(2e6),
                half: Some(ceiling(4e6)),
                matrices: None,
            },
            contests: vec![],
            groups: vec![Group { title: title.clone(), rows }],
            wholes: vec![Whole { title, batch: 2, flops: 1_003_000, traffic, seconds: vec![4.0] }],
        }
    }

    #[test]
    fn the_page_is_whole_and_stands_alone() {
        let page = page(&bench());
        for outside in ["http", "src=", "href=", "@import", "url(h", "<script"] {
            assert!(!page.contains(outside), "'{outside}' in the page");
        }
        // Well-formed but for what HTML leaves open, which is taken out here.
        let xml = page
            .replace("<!DOCTYPE html>", "")
            .replace("\">\n<meta", "\"/>\n<meta")
            .replace("light dark\">", "light dark\"/>");
        let document = roxmltree::Document::parse(&xml).unwrap_or_else(|e| panic!("{e}\n{xml}"));
        let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
        // The copy has no place in the plot, but one in the table.
        assert_eq!((count("svg"), count("circle"), count("table"), count("tr")), (1, 2, 2, 2 + 4));
        assert!(page.contains("a&amp;b · conv2d/forward") && !page.contains("a&b"));
        assert_eq!(page.matches("class=\"roof\"").count(), 1);
        assert!(page.contains(">4.00 MFLOP/s in f16</text>"));
        assert!(page.contains("50 %"), "a million operations at half the roof");
    }

    #[test]
    fn points_lie_where_their_numbers_say() {
        let page = page(&bench());
        let circle = |number: usize| -> [f64; 2] {
            let title = format!("<title>{number}: ");
            let line = page.lines().find(|line| line.contains(&title)).expect("a circle");
            let value = |name: &str| {
                let after = line.split(&format!(" {name}=\"")).nth(1).expect("an attribute");
                after.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
            };
            [value("cx"), value("cy")]
        };
        let [[x1, y1], [x3, y3]] = [circle(1), circle(3)];
        assert!(x1 > x3, "more operations per byte lie to the right");
        assert!(y1 < y3, "more operations per second lie higher");
    }
}
