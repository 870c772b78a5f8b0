// Shows a step of a recording; called when the slider moves and when a button is pressed.
const last = frames.length - 1;

// The last record of a track that is not after a step.
function found(steps, k) {
    let low = 0, high = steps.length - 1;
    while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (steps[middle] <= k) low = middle; else high = middle - 1;
    }
    return low;
}

function show(i) {
    const k = frames[i];
    for (const panel of play.panels) {
        if (panel.kind === "track") {
            const whole = sources[panel.whole].data;
            const at = found(whole.step, k);
            sources[panel.past].data = {
                x: whole.x.slice(0, at + 1), y: whole.y.slice(0, at + 1)};
            sources[panel.head].data = {x: [whole.x[at]], y: [whole.y[at]]};
        } else if (panel.kind === "limits") {
            // While the future is hidden the axis grows with what is shown.
            const [start, end] = panel.limits[i];
            ranges[panel.range].setv({start, end, reset_start: start, reset_end: end});
        } else if (panel.kind === "fit") {
            const line = sources[panel.line];
            const x = line.data.x, y = new Float64Array(x.length);
            const basis = sources[panel.basis].data.y, params = sources[panel.params].data.y;
            const count = basis.length / x.length;
            for (let m = 0; m < x.length; m += 1)
                for (let p = 0; p < count; p += 1)
                    y[m] += basis[m * count + p] * params[i * count + p];
            line.data = {x, y: y.map(value => Math.abs(value) < 1e12 ? value : NaN)};
        } else {
            sources[panel.source].data = panel.steps[i];
        }
    }
    words.text = said[i];
    count.text = counted[i];
}

function stop() {
    clearInterval(play.timer);
    play.timer = null;
    play.label = "▶ Play";
}

function start() {
    if (slider.value >= last) slider.value = 0;
    play.label = "⏸ Pause";
    // By the clock: a slow page shows fewer frames, and plays no slower.
    const begun = performance.now(), from = slider.value;
    play.timer = setInterval(() => {
        if (slider.value >= last) stop();
        else slider.value = Math.min(last, from + Math.floor((performance.now() - begun) / pause));
    }, pause);
}

play.panels ??= JSON.parse(panels);
const moved = cb_obj.origin ?? cb_obj; // an event, or the model whose value has changed
const asked = moved.tags[0];
if (moved === slider) {
    show(Math.min(slider.value, last));
} else if (asked === "toggle") {
    if (play.timer) stop(); else start();
} else {
    stop();
    if (asked === "reset") slider.value = 0;
    else if (asked === "finish") slider.value = last;
    else if (asked === "forward") slider.value = Math.min(slider.value + 1, last);
    else slider.value = Math.max(slider.value - 1, 0);
}
