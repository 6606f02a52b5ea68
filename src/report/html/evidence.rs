//! What the verdict rests on: conditions, numbers, data, and how to get it all again.

use super::parts::{self, cell};
use crate::report::number::{sci, sci_down, sci_up, shown};
use crate::report::portrait::Portrait;
use crate::report::verdict;
use crate::run::Document;
use maud::{Markup, html};

/// The conditions of the theory.
pub fn conditions(d: &Document) -> Markup {
    let row = |c: &crate::certify::certificate::Condition| {
        let (class, holds) = match c.holds {
            Some(true) => ("yes", "\u{2713} holds"),
            Some(false) => ("no", "\u{2717} fails"),
            None => ("open", "? unknown"),
        };
        vec![
            html! { code { (c.id) } },
            cell(&c.source),
            html! { span class=(class) { (holds) } },
            cell(shown(c.value, |v| sci(v, 2))),
            cell(&c.says),
        ]
    };
    let body = html! {
        p { "They explain the verdict; none of them makes it. Numbers are those of Haeffele & Vidal, " cite { "Global Optimality in Tensor Factorization, Deep Learning, and Beyond" } " (arXiv:1506.07540)." }
        (parts::table(
            "Conditions of the theory at this point",
            &["condition", "source", "status", "value", "says"],
            &[false, false, false, true, false],
            d.conditions.iter().map(row).collect(),
        ))
        @if !d.guarantees.is_empty() {
            h3 { "What is assumed" }
            ul { @for g in &d.guarantees { li { (g) } } }
        }
    };
    parts::section("conditions", "Conditions of the theory", body)
}

/// All digits.
pub fn numbers(d: &Document) -> Markup {
    let upper = d.lambda_max.upper.map_or("not bounded".into(), |u| sci_up(u, 6));
    let rows = [
        ("objective", sci_up(d.objective.total, 12)),
        ("of which loss", sci(d.objective.loss, 12)),
        ("of which regularizer (\u{3bb} included)", sci(d.objective.regularizer, 12)),
        ("of which extras", sci(d.objective.extras, 12)),
        ("lower bound (proven)", shown(d.lower_bound, |x| sci_down(x, 12))),
        ("absolute gap", shown(d.gap.absolute, |x| sci_up(x, 12))),
        ("relative gap", shown(d.gap.relative, |x| sci_up(x, 12))),
        ("bound from", verdict::bound(d)),
        ("rounding margin in the bound", shown(d.bound.as_ref().map(|b| b.slack), |x| sci(x, 12))),
        ("\u{3bb}", format!("{:?}", d.lambda)),
        ("\u{3bb}_max", format!("found {}, proven upper end {upper}", sci(d.lambda_max.found, 6))),
        ("degree", format!("{} of the mapping, {} of the regularizer", d.degree.mapping, d.degree.regularizer)),
        ("stopped by", d.stopped_by.clone()),
    ];
    let likely = verdict::probabilistic(d);
    let rows = rows.iter().map(|(label, text)| (*label, text.as_str()));
    let body = parts::pairs(rows.chain(likely.as_deref().map(|text| ("lower bound (probabilistic)", text))));
    parts::section("numbers", "Numbers", body)
}

/// The files, and how they were read.
pub fn data(d: &Document, notes: &[String]) -> Markup {
    let shape = |s: &[usize]| s.iter().map(usize::to_string).collect::<Vec<_>>().join(" \u{d7} ");
    let row = |f: &crate::run::document::DataFile| {
        vec![
            html! { code { (f.path) } },
            cell(shape(&f.shape)),
            cell(f.observed.to_string()),
            html! { code.digest { (f.sha256) } },
        ]
    };
    let body = html! {
        (parts::table(
            "Files read",
            &["file", "shape", "observed", "SHA-256"],
            &[false, false, true, false],
            d.data.iter().map(row).collect(),
        ))
        @if !notes.is_empty() {
            h3 { "How they were read" }
            ul { @for n in notes { li { (n) } } }
        }
    };
    parts::section("data", "Data", body)
}

/// Commands.
pub fn reproduce(p: &Portrait) -> Markup {
    let body = html! {
        p { "From the folder of this page, with homfac " (p.document.homfac) ":" }
        dl.commands {
            div { dt { code { "homfac check ." } } dd { "proves the saved factors again, from the data alone" } }
            div { dt { code { "homfac solve spec.toml -o NEW_FOLDER" } } dd { "solves again; the same spec, seed and threads give the same bytes" } }
            div { dt { code { "homfac report ." } } dd { "writes this page again" } }
        }
        p { "The factors are NumPy arrays, one column per slice; " code { "certificate.json" } " has every number of the verdict." }
    };
    parts::section("reproduce", "To reproduce", body)
}
