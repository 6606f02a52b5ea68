//! `homfac init`: every template solves on data of its kind, and what its comments offer instead is accepted too.

use crate::common::*;
use crate::naive::{Grid, npy_with};
use homfac::{cli::init, spec};
use serde_json::Value;
use std::path::Path;
use toml::{Table, Value as Toml};

/// Little-endian doubles of an array of this shape, last index fastest.
fn array(shape: &[usize], value: impl Fn(usize) -> f64) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let bytes: Vec<u8> = (0..count).flat_map(|k| value(k).to_le_bytes()).collect();
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    npy_with(&format!("({})", sizes.join(", ")), "<f8", &bytes)
}

fn table(header: &str, grid: &Grid) -> String {
    format!("{header}\n{}", csv(grid))
}

/// A folder with a small file of every name that a template uses.
fn place() -> Place {
    let place = Place::new();
    let positive = scattered(6, 5);
    place.write("Y.csv", table("a,b,c,d,e", &Grid::from_fn(6, 5, |i, j| positive.at(i, j) + 1.3)));
    let entries = (1..=6).flat_map(|i| (1..=5).map(move |j| (i, j))).filter(|(i, j)| (i * j) % 7 != 3);
    let rating = |(i, j): (usize, usize)| format!("{i},{j},{}\n", 1 + (3 * i + 2 * j * j) % 5);
    place.write("ratings.csv", entries.map(rating).collect::<String>());
    place.write("video.csv", csv(&Grid::from_fn(6, 5, |i, j| i as f64 + if (i, j) == (2, 3) { 9.0 } else { 0.1 })));
    place.write("answers.csv", csv(&Grid::from_fn(6, 5, |i, j| f64::from(u8::from((i * i + 2 * j) % 3 > 0)))));
    place.write("counts.csv", csv(&Grid::from_fn(6, 5, |i, j| ((i * j + i) % 4) as f64 + 1.0)));
    place
        .write("similarity.csv", csv(&Grid::from_fn(4, 4, |i, j| if i == j { 2.0 } else { 1.0 / (1 + i + j) as f64 })));
    place.write("A.npy", array(&[14, 4, 3], |k| ((k * k + 3 * k) % 11) as f64 - 5.0));
    place.write("b.csv", csv(&Grid::from_fn(14, 1, |k, _| ((5 * k) % 7) as f64 - 3.0)));
    place.write("T.npy", array(&[4, 3, 2], |k| ((k * k + k) % 7) as f64));
    place.write("series.csv", csv(&Grid::from_fn(4, 8, |i, j| if j > 2 + i { 2.0 } else { 0.1 * i as f64 })));
    place.write("inputs.csv", table("x", &Grid::from_fn(9, 1, |i, _| i as f64 * 0.7 - 2.0)));
    place.write("outputs.csv", table("y", &Grid::from_fn(9, 1, |i, _| (i as f64 * 0.7 - 2.0).abs())));
    place.write("labels.csv", "0\n0\n0\n1\n1\n0\n1\n1\n1\n");
    place.write("classes.csv", "class\nred\nred\nblue\nblue\nblue\ngreen\ngreen\nred\nred\n");
    place
}

#[test]
fn every_template_solves_on_data_of_the_names_it_uses() {
    let place = place();
    for kind in init::kinds() {
        let text = place.run(&["init", kind]).exits(0).stdout;
        place.write(&format!("{kind}.toml"), &text);
        let run = format!("runs/{kind}");
        let out = place.run(&["solve", &format!("{kind}.toml"), "-q", "--json"]);
        assert!([0, 1].contains(&out.code), "{kind}: {}", out.stderr);
        let written = out.json();
        let checked = place.run(&["check", &run, "-q", "--json"]).exits(out.code).json();
        close(number(&checked, "/objective/total"), number(&written, "/objective/total"), 1e-12);
        assert_eq!(word(&written, "/name"), kind);
        // of several layers little is proven
        assert!(number(&written, "/gap/relative") < if kind == "relu-deep" { 1.0 } else { 0.1 }, "{kind}: {written}");
        assert!(number(&written, "/rank") > 0.0, "{kind}: an example with nothing in it");
        explained(&place, kind, &written);
    }
}

/// `explain` says beforehand what the certificate then has.
fn explained(place: &Place, kind: &str, written: &Value) {
    let spec = format!("{kind}.toml");
    let e = place.run(&["explain", &spec, "--json"]).exits(0).json();
    for same in ["/name", "/lambda", "/lambda_max/found", "/lambda_max/upper", "/rank_bound", "/degree", "/target_gap"]
    {
        assert_eq!(e.pointer(same), written.pointer(same), "{kind}: {same}");
    }
    let rungs = |key: &str| e[key].as_array().unwrap().clone();
    assert!(rungs("polar").iter().chain(&rungs("ladder")).all(|r| number(r, "/flops") > 0.0), "{kind}: {e}");
    assert!(!rungs("polar").is_empty(), "{kind}");
    let exact = rungs("polar").iter().any(|r| r["exact"] == true);
    assert_eq!(e["exact"].as_bool(), Some(exact), "{kind}");
    assert!(!exact || written["polar"]["exact"] == true, "{kind}: said to be exact, and is not");
    let source = word(written, "/bound/source");
    let known = rungs("ladder").iter().any(|r| r["name"] == source);
    assert!(known || source == "residual", "{kind}: a bound from {source}, which explain does not list");
    assert!(number(&e, "/memory_bytes/data") > 0.0 && number(&e, "/observed") > 0.0, "{kind}: {e}");
    let text = place.run(&["explain", &spec]).exits(0).stdout;
    for rung in rungs("polar").iter().chain(&rungs("ladder")) {
        assert!(text.contains(word(rung, "/name")) && text.contains(word(rung, "/says")), "{kind}: {rung}\n{text}");
    }
    for label in ["problem ", "degrees ", "nondegenerate ", "lambda_max ", "rank bound ", "exact ", "memory "] {
        assert!(text.lines().any(|l| l.starts_with(label)), "{kind}: no {label}in\n{text}");
    }
    assert_eq!(text.contains("a gap may stay"), !exact, "{kind}: {text}");
}

/// A spec and those that its comments offer: each line `# key = value` instead of the key's own, each commented table beside
/// the others.
fn alternatives(text: &str) -> Vec<(String, Table)> {
    let root: Table = text.parse().unwrap();
    let mut section = String::new();
    let mut apart: Option<Table> = None;
    let mut out = Vec::new();
    for line in text.lines().chain(["[end]"]) {
        let comment = line.strip_prefix("# ");
        let content = comment.unwrap_or(line);
        if content.starts_with('[') {
            if let Some(t) = apart.take() {
                out.push((
                    format!("[{section}]"),
                    with(&root, &section, |v| match v {
                        Toml::Array(blocks) => blocks.push(t.clone().into()),
                        other => *other = t.clone().into(),
                    }),
                ));
            }
            section = content.split(']').next().unwrap().trim_matches(|c| "[]".contains(c)).to_string();
            apart = comment.map(|_| Table::new());
            continue;
        }
        let key = content.split(" = ").next().unwrap();
        if comment.is_none() || key.len() == content.len() || key.contains(' ') {
            continue;
        }
        let offered: Table = content.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        match &mut apart {
            Some(t) => t.extend(offered),
            None => out.push((line.to_string(), with(&root, &section, |v| last_table(v).extend(offered.clone())))),
        }
    }
    out
}

/// The root with one section changed (made, if it is not there: the blocks of `extra` are a list).
fn with(root: &Table, section: &str, change: impl Fn(&mut Toml)) -> Table {
    let mut root = Toml::from(root.clone());
    if section.is_empty() {
        change(&mut root);
    } else {
        let table = root.as_table_mut().unwrap();
        let empty = || if section == "extra" { Toml::Array(Vec::new()) } else { Table::new().into() };
        change(table.entry(section).or_insert_with(empty));
    }
    root.as_table().unwrap().clone()
}

fn last_table(v: &mut Toml) -> &mut Table {
    match v {
        Toml::Array(blocks) => blocks.last_mut().unwrap().as_table_mut().unwrap(),
        other => other.as_table_mut().unwrap(),
    }
}

/// Every template, as it is and with each alternative of its comments.
pub fn all_variants() -> Vec<(String, Table)> {
    let mut out = Vec::new();
    for kind in init::kinds() {
        let text = init::text(kind).unwrap();
        out.push((kind.to_string(), text.parse().unwrap()));
        out.extend(alternatives(&text).into_iter().map(|(line, t)| (format!("{kind}: {line}"), t)));
    }
    out
}

#[test]
fn what_the_comments_offer_is_accepted() {
    let all = all_variants();
    assert!(all.len() > 150, "only {} alternatives are offered", all.len());
    for (what, table) in all {
        let text = toml::to_string(&table).unwrap();
        spec::parse(&text, Path::new("spec.toml"), &[]).unwrap_or_else(|e| panic!("{what}\n{e}"));
    }
}

#[test]
fn alternatives_replace_their_key_and_commented_tables_stand_beside_the_others() {
    let text = "a = 1\n# a = 2    # or\n# words = are prose: 3 = 3\n[t]\nb = 1\n# b = 3\n# [[extra]]\n# kind = 1\n# axis = 2\n";
    let found = alternatives(&text.replace("# words = are prose: 3 = 3\n", "# some words = prose\n"));
    let shown: Vec<String> = found.iter().map(|f| toml::to_string(&f.1).unwrap().replace('\n', " ")).collect();
    assert_eq!(shown, ["a = 2  [t] b = 1 ", "a = 1  [t] b = 3 ", "a = 1  [[extra]] axis = 2 kind = 1  [t] b = 1 "]);
}

#[test]
fn without_a_kind_all_are_listed_and_an_unknown_one_is_corrected() {
    let place = Place::new();
    let list = place.run(&["init"]).exits(0).stdout;
    for kind in init::kinds() {
        let text = init::text(kind).unwrap();
        let summary = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        assert!(list.lines().any(|l| l.starts_with(kind) && l.ends_with(summary)), "{kind} is not in\n{list}");
        assert!(text.lines().all(|l| l.len() <= 120), "{kind} has a long line");
    }
    place.run(&["init", "nmff"]).exits(2).says(&[
        "error: unknown kind `nmff`",
        "expected one of: nmf, ",
        "did you mean `nmf`?",
    ]);
}
