// Learning curves: accuracy and loss over the epochs, of the pictures learned and of those kept back.

const WIDTH = 300, HEIGHT = 150, LEFT = 42, RIGHT = 8, TOP = 22, BOTTOM = 20;

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function chart(title, epochs, lines, most, label) {
  const picture = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  const last = epochs.at(-1), first = epochs[0];
  const x = (epoch) => LEFT + (WIDTH - LEFT - RIGHT) * (last > first ? (epoch - first) / (last - first) : 0.5);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(value / most, 1);
  picture.append(node("text", { x: LEFT, y: 13, class: "title" }, title));
  for (const share of [0, 0.5, 1]) {
    picture.append(node("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(share * most), y2: y(share * most) }));
    picture.append(node("text", { x: LEFT - 5, y: y(share * most) + 4, "text-anchor": "end" }, label(share * most)));
  }
  picture.append(node("text", { x: x(last), y: HEIGHT - 5, "text-anchor": last > first ? "end" : "middle" }, `epoch ${last}`));
  let right = WIDTH - RIGHT;
  for (const [kind, name, values] of lines) {
    const known = values.map((value, at) => [epochs[at], value]).filter(([, value]) => value !== null);
    const points = known.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`);
    picture.append(node("polyline", { class: kind, points: points.join(" ") }));
    if (known.length) picture.append(node("circle", { class: kind, cx: x(known.at(-1)[0]), cy: y(known.at(-1)[1]), r: 3 }));
    picture.append(node("text", { x: right, y: 13, "text-anchor": "end", class: kind }, name));
    right -= 8 + 6 * name.length;
  }
  return picture;
}

// Draws the curve, a list of epochs as the program tells them, into the element.
export function drawCurves(element, curve) {
  element.hidden = curve.length === 0;
  if (element.hidden) return element.replaceChildren();
  const of = (key) => curve.map((epoch) => epoch[key]);
  const epochs = of("epoch");
  const highest = Math.max(...of("loss"), ...of("val_loss"), 0.1);
  element.replaceChildren(
    chart("Accuracy", epochs, [["held", "kept back", of("val_accuracy")], ["learned", "learned", of("accuracy")]], 1,
      (value) => `${Math.round(100 * value)} %`),
    chart("Loss", epochs, [["held", "kept back", of("val_loss")], ["learned", "learned", of("loss")]], highest,
      (value) => value.toFixed(highest < 1 ? 2 : 1)),
  );
}
