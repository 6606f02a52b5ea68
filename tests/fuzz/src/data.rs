//! Data files of every format. Two bytes say how the file is read and what for; the rest is the file.

use crate::{put, said};
use homfac::data::dataset::{HoldoutRequest, InputSource, OperatorSource, Transform, WeightSource};
use homfac::data::source::{Absent, Column, Format};
use homfac::data::stream::Stream;
use homfac::data::{self, DataRequest, Dataset, Remembered, Source, TargetKind};

/// Reads a file as target, mask, weights, .. of a data set, row by row, and as a factor.
pub fn data_file(format: Format, bytes: &[u8]) {
    let [how, what, file @ ..] = bytes else { return };
    let source = source(format, *how, put("file", file));
    match what & 15 {
        14 => {
            said(data::read_factor(&source));
        }
        15 => rows(&source),
        role => {
            if let Some(dataset) = said(data::load(&request(source, role, what >> 4))) {
                sound(&dataset);
            }
        }
    }
}

fn source(format: Format, how: u8, path: std::path::PathBuf) -> Source {
    let shape = match how >> 5 {
        1 => Some(vec![3, 4]),
        2 => Some(vec![2, 3, 4]),
        3 => Some(vec![1_000_000_000_000_000_000, 1_000_000_000_000_000_000]),
        4 => Some(vec![1, 4_294_967_296, 4_294_967_296]),
        _ => None,
    };
    let text = matches!(format, Format::Csv | Format::Triplets);
    let table = matches!(format, Format::Csv | Format::Npy | Format::Npz);
    let columns = vec![Column::Number(2), Column::Name("a".into())];
    let numbers = vec![Column::Number(1)];
    Source {
        format: Some(format),
        header: [None, Some(true), Some(false), None][usize::from(how & 3)].filter(|_| text),
        delimiter: Some(b';').filter(|_| text && how & 4 != 0),
        columns: if how & 8 == 0 || !table {
            None
        } else if how & 16 == 0 {
            Some(columns)
        } else {
            Some(numbers)
        },
        key: Some("X".to_string()).filter(|_| format == Format::Npz && how & 16 != 0),
        shape: if format == Format::Csv { None } else { shape },
        index_base: Some(usize::from(how & 8 != 0)).filter(|_| !table && how & 16 != 0),
        absent: if !table && how & 4 != 0 { Absent::Zero } else { Absent::Missing },
        ..Source::plain(path, "file".into())
    }
}

fn request(file: Source, role: u8, more: u8) -> DataRequest {
    let small = |text: &str| Source {
        format: Some(Format::Csv),
        header: Some(false),
        ..Source::plain(put("small", text.as_bytes()), "small".into())
    };
    let kinds = [TargetKind::Real, TargetKind::Signs, TargetKind::Counts, TargetKind::Classes];
    let transforms = [Transform::None, Transform::Standardize, Transform::Log1p, Transform::Center];
    let mut request = DataRequest {
        target: file.clone(),
        operator: None,
        input: None,
        mask: None,
        weights: None,
        transform: Transform::None,
        holdout: None,
        seed: 7,
        kind: TargetKind::Real,
        symmetric: None,
        any_order: more & 8 != 0,
    };
    let matrix = "1,2,3,4\n5,,7,8\n9,10,11,12\n";
    let (operator, more) = (more & 1 != 0, usize::from(more & 3));
    match role {
        // the target, and what is made of it
        0 => request.kind = kinds[more].clone(),
        1 => request.transform = transforms[more].clone(),
        2 => request.holdout = Some(HoldoutRequest::Fraction(0.4)),
        3 => request.symmetric = Some(operator),
        4 => (request.kind, request.holdout) = (TargetKind::Classes, Some(HoldoutRequest::Fraction(0.5))),
        5 => request.mask = Some(file),
        6 => {
            let axis = [None, Some(1), Some(2), None][more];
            request.weights = Some(WeightSource { source: file, axis });
        }
        // the small target, and the file beside it
        7 => (request.target, request.mask) = (small(matrix), Some(file)),
        8 => {
            let axis = [None, Some(1), Some(2), None][more];
            (request.target, request.weights) = (small(matrix), Some(WeightSource { source: file, axis }));
        }
        9 => (request.target, request.holdout) = (small(matrix), Some(HoldoutRequest::Mask(file))),
        10 => {
            let dims = [None, Some((2, 2)), Some((1 << 40, 1 << 40)), Some((3, 1))][more];
            (request.target, request.operator) = (small("1\n2\n3\n4\n"), Some(OperatorSource { source: file, dims }));
            request.symmetric = Some(true).filter(|_| operator);
        }
        11 => {
            let input = InputSource { source: file, bias: operator, standardize: more & 2 != 0 };
            (request.target, request.input) = (small(matrix), Some(input));
        }
        12 => {
            request.input = Some(InputSource { source: file, bias: true, standardize: true });
            request.holdout = Some(HoldoutRequest::Fraction(0.3));
        }
        _ => request.target.columns = None,
    }
    request
}

/// What every data set must be.
fn sound(d: &Dataset) {
    assert_eq!(d.places().len(), d.y.len());
    assert!(d.y.iter().all(|y| y.is_finite()), "a target that is not finite");
    assert!(d.w.iter().flatten().all(|w| w.is_finite() && *w > 0.0), "a weight that is not positive");
    assert!(d.w.as_ref().is_none_or(|w| w.len() == d.y.len()));
    if d.y.len() < 10_000 {
        let json = Remembered::of(d).to_json();
        if let Err(e) = Remembered::from_json(&json) {
            panic!("what is remembered is refused: {e}\n{json}");
        }
        if d.most_folds() >= 2 {
            std::hint::black_box(d.draw_folds(2, 1));
        }
    }
}

/// Row by row, as `predict` reads.
fn rows(source: &Source) {
    let Some(mut stream) = said(Stream::open(source, false)) else { return };
    let columns = stream.columns();
    stream.names();
    let sizes = [3, 1_000_000, 5];
    if columns == sizes.len() || columns == 2 {
        let base = source.index_base.unwrap_or(0);
        while said(stream.indices(64, base, &sizes[..columns])).is_some_and(|rows| !rows.is_empty()) {}
        return;
    }
    while said(stream.numbers(64, true)).is_some_and(|rows| rows.nrows() > 0) {}
}
