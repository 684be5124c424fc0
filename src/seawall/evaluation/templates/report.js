(() => {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const touch = matchMedia("(pointer: coarse)");

  const theme = (layout) => {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const changes = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": colour("--ink"),
      "font.family": "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif",
      "font.size": narrow.matches ? 11 : 12.5,
      "hoverlabel.bgcolor": colour("--card"),
      "hoverlabel.bordercolor": colour("--line"),
      "hoverlabel.font.color": colour("--ink"),
      dragmode: touch.matches ? false : "zoom",
    };
    for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      changes[`${axis}.gridcolor`] = colour("--line");
      changes[`${axis}.linecolor`] = colour("--line");
      changes[`${axis}.tickcolor`] = colour("--line");
      changes[`${axis}.title.font.color`] = colour("--soft");
      changes[`${axis}.title.font.size`] = narrow.matches ? 11 : 12.5;
      changes[`${axis}.title.standoff`] = 8;
    }
    if (narrow.matches) changes["margin.l"] = 44;
    return changes;
  };

  const plots = [];
  const draw = async (holder) => {
    const spec = JSON.parse(holder.textContent);
    const target = document.getElementById(holder.dataset.target);
    await Plotly.newPlot(target, spec.data, spec.layout, { displaylogo: false, displayModeBar: false });
    await Plotly.relayout(target, theme(spec.layout));
    plots.push([target, spec.layout]);
    new ResizeObserver(() => Plotly.Plots.resize(target)).observe(target);
  };
  const retheme = () => plots.forEach(([target, layout]) => Plotly.relayout(target, theme(layout)));
  dark.addEventListener("change", retheme);
  narrow.addEventListener("change", retheme);

  const drawn = async (holder) => {
    try {
      await draw(holder);
    } catch (error) {
      note(`${holder.dataset.target}: ${error.message}`);
      document.getElementById(holder.dataset.target).textContent = "This figure could not be drawn.";
    }
    root.dataset.figures = String(plots.length);
  };

  // Of many figures those marked as later are drawn once the reader comes near them.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      near.unobserve(entry.target);
      drawn(document.querySelector(`script.figure[data-target="${entry.target.id}"]`));
    }
  }, { rootMargin: "600px" });

  (async () => {
    root.dataset.figures = "0";
    for (const holder of document.querySelectorAll("script.figure:not(.later)")) await drawn(holder);
    for (const holder of document.querySelectorAll("script.figure.later")) near.observe(document.getElementById(holder.dataset.target));
  })();
})();
