//! Windows of a photo, resized by averaging areas.

use lookalike::check::{Check, bytes, gpu};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{AreaWindow, Normalize};
use lookalike::tensor::{Data, HostTensor, TensorType};
use lookalike::{Device, Error};

/// The whole of a photo, resized.
fn whole(width: u32, height: u32, resized_width: u32, resized_height: u32) -> AreaWindow {
    AreaWindow { row_length: width, width, height, resized_width, resized_height, ..AreaWindow::default() }
}

fn windows(windows: &[AreaWindow]) -> HostTensor {
    HostTensor::new([windows.len(), 9], windows.iter().flat_map(AreaWindow::row).collect::<Vec<u32>>())
}

fn case(name: &str, pixels: usize, of: &[AreaWindow]) -> Check {
    Check::new(name).input(bytes([pixels, 3], 1)).input(windows(of)).without_gradients()
}

#[test]
fn sizes_and_parts() {
    let part = |left, top, window: AreaWindow| AreaWindow { left, top, ..window };
    let cut = |x, y, width, height| AreaWindow {
        row_length: 40,
        x,
        y,
        width,
        height,
        resized_width: 7,
        resized_height: 5,
        ..AreaWindow::default()
    };
    let cases: [(&str, usize, Vec<AreaWindow>, [usize; 2]); 11] = [
        ("one pixel", 1, vec![whole(1, 1, 1, 1)], [1, 1]),
        ("one pixel enlarged", 1, vec![whole(1, 1, 4, 3)], [3, 4]),
        ("its own size", 35, vec![whole(7, 5, 7, 5)], [5, 7]),
        ("halved", 48, vec![whole(8, 6, 4, 3)], [3, 4]),
        ("odd sizes, bins overlap", 13 * 11, vec![whole(13, 11, 7, 5)], [5, 7]),
        ("enlarged by an odd factor", 15, vec![whole(5, 3, 12, 8)], [8, 12]),
        ("a result that the window does not fill", 13 * 11, vec![whole(13, 11, 7, 5)], [9, 8]),
        (
            "parts of a resized picture",
            31 * 23,
            vec![part(3, 0, whole(31, 23, 10, 9)), part(8, 6, whole(31, 23, 10, 9))],
            [4, 5],
        ),
        (
            "a part wholly outside",
            31 * 23,
            vec![part(10, 0, whole(31, 23, 10, 9)), part(0, 9, whole(31, 23, 10, 9))],
            [2, 2],
        ),
        (
            "rectangles of a photo with room behind it",
            40 * 30 + 17,
            vec![cut(0, 0, 40, 30), cut(9, 7, 13, 2), cut(39, 29, 1, 1)],
            [5, 7],
        ),
        ("rows of zeros", 12, vec![AreaWindow::default(), whole(4, 3, 2, 2), AreaWindow::default()], [2, 2]),
    ];
    for (name, pixels, of, size) in cases {
        for normalize in [Normalize::unit(), Normalize::caffe()] {
            case(name, pixels, &of).run(|graph, v| Ok(vec![graph.area_resize(v[0], v[1], size, normalize)?]));
        }
    }
}

#[test]
fn folded_grid() {
    let of: Vec<AreaWindow> = (0..8).map(|left| AreaWindow { left, ..whole(64, 48, 40, 30) }).collect();
    case("folded", 64 * 48, &of)
        .folded()
        .run(|graph, v| Ok(vec![graph.area_resize(v[0], v[1], [20, 15], Normalize::unit())?]));
}

fn resized(device: &Device, photo: &[u8], window: AreaWindow, [height, width]: [usize; 2]) -> Vec<f32> {
    let plain = Normalize { scale: [1.0; 4], offset: [0.0; 4], reverse: false };
    let mut graph = Graph::new();
    let pixels = graph.input("photo", TensorType::u8([photo.len() / 3, 3]));
    let window_of = graph.input("windows", TensorType::u32([1, 9]));
    let y = graph.area_resize(pixels, window_of, [height, width], plain).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.write("photo", &Data::U8(photo.to_vec())).unwrap();
    plan.write("windows", &Data::U32(window.row().to_vec())).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

/// PyTorch 2.15:
/// `x = torch.arange(35.).reshape(1, 1, 5, 7); interpolate(x, size=(3, 4), mode="area")` and `size=(7, 9)`
/// for the first channel; the other two are 100 and 200 more.
#[test]
fn agrees_with_pytorch() {
    let photo: Vec<u8> = (0..35).flat_map(|i| [i, i + 100, i + 200]).collect();
    let smaller: [f32; 12] = [4.0, 5.5, 7.5, 9.0, 14.5, 16.0, 18.0, 19.5, 25.0, 26.5, 28.5, 30.0];
    let larger_first_row: [f32; 9] = [0.0, 0.5, 1.5, 2.5, 3.0, 3.5, 4.5, 5.5, 6.0];
    for device in [&Device::reference(), &Device::cpu(), gpu()] {
        let y = resized(device, &photo, whole(7, 5, 4, 3), [3, 4]);
        let expected: Vec<f32> = smaller.iter().flat_map(|&x| [x, x + 100.0, x + 200.0]).collect();
        assert_eq!(y, expected, "{device}");
        let y = resized(device, &photo, whole(7, 5, 9, 7), [7, 9]);
        let expected: Vec<f32> = larger_first_row.iter().flat_map(|&x| [x, x + 100.0, x + 200.0]).collect();
        assert_eq!(y[..27], expected, "{device}");
    }
}

/// The largest bins that a detector asks for, and on the CPU one whose sum nears the largest word: all of them white.
#[test]
fn sums_of_large_bins_do_not_overflow() {
    let photo = vec![255; 3 * 4096 * 3072];
    for device in [&Device::cpu(), gpu()] {
        assert_eq!(resized(device, &photo, whole(4096, 3072, 16, 12), [1, 2]), [255.0; 6], "{device}");
    }
    assert_eq!(resized(&Device::cpu(), &photo, whole(4096, 3072, 1, 1), [1, 1]), [255.0; 3]);
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let photo = graph.input("photo", TensorType::u8([12, 3]));
    let grey = graph.input("grey", TensorType::u8([12, 1]));
    let windows = graph.input("windows", TensorType::u32([2, 9]));
    let mut resize = |photo, windows, size| graph.area_resize(photo, windows, size, Normalize::unit());
    assert!(resize(photo, windows, [3, 3]).is_ok());
    let problem = resize(grey, windows, [3, 3]).unwrap_err();
    assert!(problem.to_string().contains("[12, 1]"), "{problem}");
    assert!(matches!(resize(photo, photo, [3, 3]).unwrap_err(), Error::Type { input: 1, .. }));
    assert!(resize(photo, windows, [0, 3]).is_err());
}
