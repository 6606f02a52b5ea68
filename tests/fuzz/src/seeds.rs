//! What every target starts from: small valid files, the specs of this repository, and hostile files as large as they may be.
//! They are written into the corpus when a target starts.

use crate::fixture::{self, FIXTURES};
use crate::run::{self, FILES};
use crate::{checkpoint, scratch};
use homfac::data::{npy, npz};
use homfac::solve::observer::Silent;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;

/// The longest input.
pub const LONGEST: usize = 1 << 20;

/// Writes the seeds of a target into its corpus.
pub fn sow(target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a corpus");
    let seeds = match target {
        "spec" => specs(),
        "csv" => options(csv(), &[(0, 0), (1, 1), (2, 2), (0, 3), (0, 4), (0, 7), (0, 11), (8, 12), (0, 14), (0, 15)]),
        "triplets" => options(triplets(), &[(0, 0), (4, 0x80), (32, 0x81), (64, 0x80), (96, 0x80), (0, 7), (24, 15)]),
        "npy" => options(npys(), &[(0, 0), (0, 0x80), (0, 3), (0, 7), (0, 10), (0, 11), (0, 14), (0, 15)]),
        "npz" => options(npzs(), &[(0, 0), (16, 0), (0, 7), (0, 14), (0, 15)]),
        "mtx" => options(mtx(), &[(0, 0), (4, 0), (32, 0), (0, 7), (0, 8), (0, 10), (0, 14)]),
        "tns" => options(tns(), &[(0, 0x80), (4, 0x80), (64, 0x80), (96, 0x80), (24, 0x80), (0, 0x88), (0, 14)]),
        "run" => runs(),
        "checkpoint" => checkpoints(),
        _ => Vec::new(),
    };
    for (k, seed) in seeds.iter().enumerate() {
        let path = folder.join(format!("seed-{k:03}"));
        let seed = &seed[..seed.len().min(LONGEST)];
        // several processes may start at a time
        if std::fs::read(&path).ok().as_deref() != Some(seed) {
            std::fs::write(path, seed).expect("a seed");
        }
    }
}

fn options(files: Vec<Vec<u8>>, options: &[(u8, u8)]) -> Vec<Vec<u8>> {
    // large files are slow: each is tried in one way
    let ways = |k: usize, file: &Vec<u8>| {
        if file.len() > 4096 { options[k % options.len()..][..1].to_vec() } else { options.to_vec() }
    };
    let with = |file: &[u8], o: (u8, u8)| [&[o.0, o.1][..], file].concat();
    files.iter().enumerate().flat_map(|(k, f)| ways(k, f).into_iter().map(|o| with(f, o)).collect::<Vec<_>>()).collect()
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|t| t.as_bytes().to_vec()).collect()
}

/// A text repeated up to the limit.
fn long(head: &str, piece: &str, tail: &str) -> Vec<u8> {
    let room = LONGEST - 16 - head.len() - tail.len();
    [head, &piece.repeat(room / piece.len()), tail].concat().into_bytes()
}

/// Numbered pieces up to the limit.
fn numbered(head: &str, piece: impl Fn(usize) -> String, tail: &str) -> Vec<u8> {
    let mut out = head.to_string();
    for k in 0.. {
        let next = piece(k);
        if out.len() + next.len() + tail.len() + 16 > LONGEST {
            break;
        }
        out.push_str(&next);
    }
    out.push_str(tail);
    out.into_bytes()
}

fn specs() -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = FIXTURES.iter().map(|f| f.1.as_bytes().to_vec()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("specs").flatten().map(|e| e.path()).collect();
    files.sort();
    out.extend(files.iter().map(|f| std::fs::read(f).expect("a spec")));
    let nmf =
        "lambda = 1\ndata.target = \"Y.csv\"\nmapping.kind = \"matrix\"\nregularizer.factors = [{ norm = \"l2\" }]\n";
    let with = |more: &str| format!("{nmf}{more}").into_bytes();
    let norm = |n: &str| nmf.replace("{ norm = \"l2\" }", n).into_bytes();
    out.extend([
        with("\0solver.max_rank=5\0regularizer.factors[0].norm=l1\0lambda={relative=0.1}\0a[=1\0data=2"),
        with("[data]\n"),
        with("name = \"../../elsewhere\"\n"),
        with("name = \"\"\n"),
        with("solver.time_limit = \"1e300d\"\nsolver.threads = 1024\n"),
        norm("{ norm = \"group_l2\", groups = [[0, 9223372036854775807]] }"),
        norm("{ norm = [{ kind = \"group_l2\", groups = [[0, 900000000000000]] }, { kind = \"l1\" }] }"),
        norm("{ norm = [{ kind = \"tv\", shape = [4000000000, 4000000000] }, { kind = \"l2\", weight = 0.5 }] }"),
        norm("{ norm = \"l2\", cone = { kind = \"sparse\", nonzeros = 9223372036854775807 } }"),
        norm("{ norm = \"lp\", p = 1e300, weight = 1e-75 }"),
        norm("{ norm = \"lp\", p = nan, cone = \"monotone\" }"),
        long(&format!("{nmf}x = "), "[", ""),
        long(&format!("{nmf}x = "), "{a=", ""),
        long(nmf, "a.", "a = 1\n"),
        long(&format!("{nmf}["), "a.", "a]\n"),
        long(&format!("{nmf}x = [0"), ",0", "]\n"),
        long(&format!("{nmf}"), "\n", "x = 1\n"),
        long(&format!("{nmf}"), "k", " = 1\n"),
        numbered(nmf, |k| format!("k{k}=0\n"), ""),
        numbered(nmf, |k| format!("[k{k}]\n"), ""),
        numbered(nmf, |k| format!("[[extra]]\nkind = \"covariates\"\naxis = 1\nside = \"{k}\"\n"), ""),
        numbered(&nmf.replace("\"Y.csv\"", "{ path = \"Y.csv\", columns = [1"), |k| format!(",{}", k + 2), "] }"),
        numbered("data.target = { path = \"Y.csv\", columns = [1", |k| format!(",{}", k + 2), "] }"),
        numbered("regularizer.factors = [{ norm = \"group_l2\", groups = [[0]", |k| format!(",[{}]", k + 1), "] }]"),
        long("regularizer.factors = [{ norm = \"l2\" }", ", { norm = \"l3\" }", "]\nmapping.kind = \"cp\"\n"),
        long("\"", "x", "\" = 1"),
        long("lambda = 0.", "1", "\n"),
        long("lambda = ", "9", "\n"),
        long("data.target = { path = \"", "../", "\" }\n"),
    ]);
    out
}

fn csv() -> Vec<Vec<u8>> {
    let mut out = texts(&[
        "1,2,3,4\n5,,7,8\n9,10,11,12\n",
        "a,b\n1,2\n3,4\n",
        "1;2\n3;4\n",
        "label\nred\nblue\nred\n",
        "1,0\n0,1\n1,0\n",
        "1,2\n2,1\n",
        "0,0,1.5\n1,1,2\n2,0,1e308\n",
        "1e308,-1e308\n1e308,1e308\n-1e308,0\n",
        "1e-320,5e-324\n-0,0\n",
        "NA,NaN,nan\n,,\n\"1\",\" 2 \",\"\"\"\"\n",
        "inf,1\n-inf,2\n",
        "\u{feff}1,2\r\n3,4\r\n\r\n",
        "1,2\n3\n",
        "\"open\n1,2",
        "\n\n\n1\n\n2\n",
        "\0,\0\n",
    ]);
    out.push(b"\xff\xfe1,2\n".to_vec());
    // a wide first row above narrow ones
    out.push([",".repeat(LONGEST / 2), "\n1".repeat(LONGEST / 4 - 16)].concat().into_bytes());
    out.push([",".repeat(1000), "\n1".repeat(LONGEST / 2 - 1000)].concat().into_bytes());
    out.extend([long("", ",", "\n"), long("", "1\n", ""), long("", "\n", "1\n"), long("", "1", "\n")]);
    out.extend([long("\"", "a\n", ""), long("", "x", "\n1\n"), long("", "1,2,3,4\n", "1,2,3,inf\n")]);
    out.push(numbered("", |k| format!("name{k},"), "\n"));
    out.push(numbered("l\n", |k| format!("label{k}\n"), ""));
    out.push(numbered("1\n", |k| format!("{}\n", k + 2), ""));
    out
}

fn triplets() -> Vec<Vec<u8>> {
    let mut out = texts(&[
        "0,0,1\n1,1,2\n2,3,-1\n",
        "i,j,value\n0,0,1\n1,1,2\n",
        "0,0,0,1\n1,2,3,2\n",
        "0,0,1\n0,0,2\n",
        "0,0,\n1,0,NA\n",
        "4294967294,4294967294,1\n0,0,2\n",
        "100000000,100000000,1\n",
        "2147483646,0,1\n",
        "0,2147483646,1\n",
        "4294967294,4294967294,4294967294,4294967294,1\n",
        "0,65535,65535,1\n",
        "18446744073709551615,18446744073709551616,-1\n",
        "-1,0,1\n1.5,0,1\n",
        "0,0,1e308\n0,1,-1e308\n",
        "0;0;1\n",
        "",
    ]);
    out.extend([long("", "0,", "1\n"), long("0,0,1\n", "0,0,1\n", ""), long("", "0,0,", "0,0")]);
    out.push(numbered("", |k| format!("{k},{k},1\n"), ""));
    out.push(numbered("", |k| format!("{},{k},1\n", 100 * k), ""));
    out
}

fn npy_file(header: &str, version: u8, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY".to_vec();
    out.extend([version, 0]);
    let text = format!("{header}\n");
    match version {
        1 => out.extend((text.len() as u16).to_le_bytes()),
        _ => out.extend((text.len() as u32).to_le_bytes()),
    }
    out.extend(text.as_bytes());
    out.extend(data);
    out
}

fn header(kind: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}")
}

fn array(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let mut out = Vec::new();
    npy::write(&mut out, shape, values).expect("memory");
    out
}

fn npys() -> Vec<Vec<u8>> {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let mut out = vec![array(&[3, 4], &values), array(&[2, 3, 2], &values), array(&[12], &values), array(&[4, 0], &[])];
    out.push(array(&[3, 4], &[vec![f64::NAN, f64::INFINITY], values[2..].to_vec()].concat()));
    let kinds =
        ["<f8", ">f8", "<f4", "|b1", "|i1", "<i2", ">i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<c16", "|S8", "|O"];
    for kind in kinds {
        let size: usize = kind[2..].parse().unwrap_or(8);
        out.push(npy_file(&header(kind, false, "(3, 2)"), 1, &vec![1; 6 * size]));
    }
    let shapes = [
        "()",
        "(0,)",
        "(1000000000000000000,)",
        "(1000000000, 1000000000)",
        "(9223372036854775807, 2)",
        "(0, 9223372036854775807)",
        "(4294967296, 4294967296, 0)",
        "(-1,)",
        "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)",
        "(2147483647, 0)",
        "(0, 2147483647)",
        "(100000000, 0)",
    ];
    for shape in shapes {
        out.push(npy_file(&header("<f8", false, shape), 2, &[0; 8]));
        out.push(npy_file(&header("<f8", true, shape), 3, &[]));
    }
    out.push(npy_file("{'descr': [('a', '<f8'), ('b', '<i4')], 'fortran_order': False, 'shape': (1,), }", 1, &[0; 12]));
    out.push(npy_file(&"[".repeat(60_000), 1, &[]));
    out.push(npy_file(&header("|u1", false, "(1000000,)"), 1, &vec![3; 1_000_000]));
    out.push(npy_file(&header("|b1", false, "(1000, 1000)"), 1, &vec![1; 1_000_000]));
    out.push(npy_file(&header("|u1", false, "(100, 100, 100)"), 1, &vec![3; 1_000_000]));
    out.push(npy_file(&header("<f8", false, "(2,)"), 1, &[255; 16])[..80].to_vec());
    out.push(b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec());
    out
}

fn zipped(members: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method).last_modified_time(zip::DateTime::default());
    for (name, content) in members {
        zip.start_file(*name, options).expect("memory");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// An archive of one member: a header, and zeros.
fn bomb(header: &[u8], zeros: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    zip.start_file("X.npy", options).expect("memory");
    zip.write_all(header).expect("memory");
    let block = vec![0; 1 << 20];
    for k in 0..zeros.div_ceil(block.len()) {
        zip.write_all(&block[..block.len().min(zeros - k * block.len())]).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// The same of an array of booleans, rows of 1000.
fn flags(count: usize) -> Vec<u8> {
    bomb(&npy_file(&header("|b1", false, &format!("({}, 1000)", count / 1000)), 1, &[]), count)
}

/// An archive that lists the one member of another over and over.
fn overlapping(one: &[u8], members: usize) -> Vec<u8> {
    let end = one.len() - 22;
    let start = u32::from_le_bytes(one[end + 16..end + 20].try_into().expect("four bytes")) as usize;
    let entry = &one[start..end];
    let mut out = one[..start].to_vec();
    (0..members).for_each(|_| out.extend(entry));
    let mut tail = one[end..].to_vec();
    tail[8..10].copy_from_slice(&(members as u16).to_le_bytes());
    tail[10..12].copy_from_slice(&(members as u16).to_le_bytes());
    tail[12..16].copy_from_slice(&((members * entry.len()) as u32).to_le_bytes());
    out.extend(tail);
    out
}

fn npzs() -> Vec<Vec<u8>> {
    use zip::CompressionMethod::{Deflated, Stored};
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let mut two = Cursor::new(Vec::new());
    npz::write(&mut two, &[("X".into(), vec![3, 4], values.clone()), ("w".into(), vec![3], vec![1.0; 3])])
        .expect("memory");
    let one = array(&[3, 4], &values);
    vec![
        two.into_inner(),
        zipped(&[("X.npy", one.clone())], Deflated),
        zipped(&[("../../X.npy", one.clone())], Stored),
        zipped(&[("/etc/X.npy", one.clone()), ("X", one.clone())], Deflated),
        zipped(&[("X.npy", b"not an array".to_vec())], Stored),
        zipped(&[], Stored),
        flags(2_000_000),
        flags(200_000_000),
        flags(900_000_000),
        bomb(&[], 900_000_000),
        overlapping(&flags(100_000_000), 300),
        overlapping(&zipped(&[("X.npy", one)], Stored), 5000),
    ]
}

fn mtx() -> Vec<Vec<u8>> {
    let mut out = texts(&[
        "%%MatrixMarket matrix coordinate real general\n3 4 3\n1 1 1.5\n2 2 -1\n3 4 2\n",
        "%%MatrixMarket matrix coordinate pattern symmetric\n% a comment\n3 3 2\n1 1\n3 1\n",
        "%%MatrixMarket matrix coordinate integer skew-symmetric\n3 3 1\n2 1 4\n",
        "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n",
        "%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n",
        "%%MatrixMarket matrix coordinate real general\n18446744073709551615 18446744073709551615 1\n0 0 1\n",
        "%%MatrixMarket matrix coordinate real general\n1000000000000000000 1000000000000000000 1000000000000000000\n1 1 1\n",
        "%%MatrixMarket matrix coordinate real general\n100000000 100000000 1\n1 1 1\n",
        "%%MatrixMarket matrix coordinate real general\n2147483647 1 1\n1 1 1\n",
        "%%MatrixMarket matrix coordinate real general\n12000 12000 1\n1 1 1\n",
        "%%MatrixMarket matrix coordinate real general\n4 1152921504606846976 4\n1 1 1\n2 1 1\n3 1 1\n4 1 2\n",
        "%%MatrixMarket matrix coordinate real general\n4 100000000 4\n1 1 1\n2 1 1\n3 1 1\n4 1 2\n",
        "%%MatrixMarket matrix array real general\n0 1000000000000000000\n",
        "%%MatrixMarket matrix array real skew-symmetric\n1 1\n",
        "%%MatrixMarket matrix array real general\n1000000000 1000000000\n1\n",
        "%%MatrixMarket matrix array real symmetric\n40000 40000\n1\n",
        "%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 0\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 nan\n2 2 inf\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 5\n1 1 1\n",
        "",
    ]);
    let head = "%%MatrixMarket matrix coordinate real general\n";
    out.extend([long(head, "%\n", ""), long(head, "1", ""), long(&format!("{head}2 2 9\n"), "1 1 1\n", "")]);
    out.push(long(&format!("{head}2 2 1\n1 1 0."), "1", "\n"));
    out.push(numbered(&format!("{head}4 1000000000000 9\n"), |k| format!("1 {k} 1\n"), ""));
    out.push(long("%%MatrixMarket matrix array real general\n500000 1\n", "1\n", ""));
    out
}

fn tns() -> Vec<Vec<u8>> {
    let mut out = texts(&[
        "1 1 1 1.5\n2 3 4 -1\n# a comment\n2 1 1 3\n",
        "1 1 2\n2 2 3\n",
        "1 5\n",
        "4294967295 4294967295 4294967295 1\n",
        "4294967295 4294967295 4294967295 4294967295 -1\n",
        "1 65536 65536 1\n",
        "1 30000 30000 1\n",
        "100000000 1 1 1\n",
        "0 0 0 1\n",
        "1 1 1 nan\n1 1 2 inf\n",
        "1 1 1 1\n1 1 1 2\n",
        "1 1 1\n1 1 1 1\n",
        "18446744073709551615 1 1\n",
        "1\n",
        "",
    ]);
    out.push([&"1 ".repeat(32)[..], "5\n"].concat().into_bytes());
    out.push([&"4294967295 ".repeat(32)[..], "-5\n"].concat().into_bytes());
    out.extend([long("", "1 ", "1\n"), long("1 1 1 1\n", "1 1 1 1\n", ""), long("", "#\n", "1 1 1\n")]);
    out.push(long("1 1 0.", "1", "\n"));
    out.push(numbered("", |k| format!("{} {} {} 1\n", k + 1, k % 50 + 1, k % 7 + 1), ""));
    out
}

fn runs() -> Vec<Vec<u8>> {
    run::prepare();
    let mut out = Vec::new();
    for k in 0..FIXTURES.len() {
        let (folder, ..) = fixture::make(k, &scratch().join("seeds"), &mut Silent);
        for (f, file) in FILES.iter().enumerate() {
            let which = (k * FILES.len() + f) as u8;
            let mut hostile = vec![std::fs::read(folder.join(file)).unwrap_or_default()];
            match *file {
                "model.json" => hostile.extend(models()),
                "dual.npz" => hostile.extend(witnesses()),
                "path.csv" => hostile.push(table()),
                "factors/X1.npy" | "factors/X2.npy" => {
                    hostile.extend([array(&[4, 0], &[]), array(&[3, 1], &[1e308; 3]), array(&[4, 1], &[-1e200; 4])]);
                    hostile.push(npy_file(&header("<f8", true, "(100000000, 0)"), 1, &[]));
                }
                _ => {}
            }
            out.extend(hostile.iter().map(|h| [&[which][..], h].concat()));
        }
    }
    out
}

fn table() -> Vec<u8> {
    let heads = "point,lambda,ratio,objective,lower_bound,gap,rank,holdout_loss,cv_loss,cv_error,chosen,rule,time_s";
    format!("{heads}\n1,8.0,1.0,5.0,5.0,0.0,0,,0.75,0.125,0,,0.1\n2,4.0,0.5,4.0,,,3,,0.5,0.25,1,min,0.2\n").into_bytes()
}

fn models() -> Vec<Vec<u8>> {
    let with = |sizes: &str, more: &str| {
        format!("{{\"format\":1,\"sizes\":{sizes},\"columns\":null,\"classes\":[],\"zero_one\":false{more}}}")
    };
    let plain = ",\"transform\":null,\"inputs\":null";
    let mut out: Vec<Vec<u8>> =
        ["[4,3]", "[0,0]", "[3]", "[2147483647,2147483647]", "[4,3,1]", "[2,3,2]", "[100000000,100000000]"]
            .iter()
            .map(|s| with(s, plain).into_bytes())
            .collect();
    let inputs = ",\"transform\":{\"columns\":{\"offset\":[1e308,0,0],\"scale\":[0,1e-320,1]}},\"inputs\":{\"names\":[\"a\"],\
                  \"mean\":[0],\"deviation\":[0],\"bias\":true}";
    out.extend(["[4,3]", "[5,3]", "[5,2147483647]"].iter().map(|s| with(s, inputs).into_bytes()));
    out.push(long("{\"format\":1,\"sizes\":[2,2", ",1", "]}"));
    out.push(long("{\"a\":", "[", ""));
    out
}

fn witnesses() -> Vec<Vec<u8>> {
    let archive = |arrays: &[(&str, Vec<f64>)]| {
        let arrays: Vec<_> = arrays.iter().map(|(n, v)| (n.to_string(), vec![v.len()], v.clone())).collect();
        let mut out = Cursor::new(Vec::new());
        npz::write(&mut out, &arrays).expect("memory");
        out.into_inner()
    };
    let mut out = Vec::new();
    for x in [0.0, 0.1, -1.0, 1e-320, 1e150, 1e308, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for n in [5, 7, 11, 12, 15] {
            out.push(archive(&[("z", vec![x; n])]));
            out.push(archive(&[("majorant", vec![x; n])]));
        }
        let lift = [("lift", vec![x; 12]), ("lift_u", vec![x; 16]), ("lift_v", vec![x; 9])];
        out.push(archive(&lift));
        out.push(archive(&[("lift", vec![x; 12]), ("lift_u", Vec::new()), ("lift_v", Vec::new())]));
        out.push(archive(&[("part_1", vec![x; 12]), ("part_2", vec![x; 12]), ("part_3", vec![x; 3])]));
        for groups in [vec![0.0, 1.0, 2.0], vec![2.0, 2.0, 2.0], vec![0.0, 1.0], vec![1.0, 0.0, 0.0, 1.0]] {
            for (g, n) in [(0, 0), (3, 36), (1, 16), (9, 81)] {
                let (antisymmetric, nonnegative) = (vec![x; g], vec![x; n]);
                let s = vec![x; 12];
                let all = [("groups", groups.clone()), ("grouped", s), ("antisymmetric", antisymmetric)];
                out.push(archive(&[&all[..], &[("nonnegative", nonnegative)]].concat()));
            }
        }
    }
    out.push(overlapping(&flags(100_000_000), 300));
    out
}

fn checkpoints() -> Vec<Vec<u8>> {
    let folder = scratch().join("checkpoints");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut out = Vec::new();
    for (how, body) in checkpoint::written(&folder).into_iter().enumerate() {
        let how = how as u8;
        out.push([&[how][..], &body].concat());
        for k in [1, 2, 5, 20, 60, body.len() / 2, body.len() - 1] {
            let k = k.min(body.len());
            out.push([&[how][..], &body[..k]].concat());
            // what was a length becomes a large one
            let mut longer = body.clone();
            longer.splice(k..k, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
            out.push([&[how][..], &longer].concat());
        }
        out.push(vec![how; LONGEST]);
    }
    out.push([&[0][..], b"homfac checkpoint 4\n"].concat());
    out
}
