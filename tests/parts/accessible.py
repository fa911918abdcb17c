"""What keeps a reader off a page: axe-core's faults, what has no name, focus that does not show.

axe-core comes with the wheel of axe-playwright-python (MPL-2.0) and asks nobody for anything. Of
its findings, those of level serious and critical count.
"""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT

SIZES = {"phone": {"width": 360, "height": 740}, "desk": {"width": 1280, "height": 900}}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# What a screen reader must be able to call by name, by its role in Chromium's accessibility tree.
NAMED = {
    "Canvas", "button", "checkbox", "combobox", "graphics-document", "image", "img", "link",
    "listbox", "progressbar", "radio", "searchbox", "slider", "spinbutton", "switch", "textbox",
}  # fmt: skip
# Contrast is measured once for each colour on each background, and whether links stand out once
# for each sort of link: a page of code has thousands of words in ten colours. The rule `region`,
# which is slow, is never serious.
FAULTS = """async (theme) => {
  document.documentElement.dataset.theme = theme;
  const told = async (place, options) => {
    const asked = { resultTypes: ["violations"], preload: false, iframes: false, ...options };
    const { violations } = await axe.run(place, asked);
    return violations
      .filter(({ impact }) => ["serious", "critical"].includes(impact))
      .flatMap(({ id, nodes }) => nodes.map(({ target, any, all, none }) =>
        `${id}: ${target.join(" ")}: ${[...any, ...all, ...none].map((one) => one.message)[0]}`));
  };
  const grounds = new Map([[null, ""]]);
  const ground = (one) => {
    if (!grounds.has(one)) {
      const { backgroundColor: colour, backgroundImage: image, opacity } = getComputedStyle(one);
      const plain = colour === "rgba(0, 0, 0, 0)" && image === "none" && opacity === "1";
      const behind = plain || !/^rgb\\(/.test(colour) ? ground(one.parentElement) : "";
      grounds.set(one, plain ? behind : [colour, image, opacity, behind].join());
    }
    return grounds.get(one);
  };
  const chosen = new Map();
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const one = words.currentNode.parentElement;
    const shown = one.checkVisibility({ visibilityProperty: true });
    if (!shown || !words.currentNode.data.trim()) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(one);
    const link = one.closest("a");
    const { color: around } = getComputedStyle(link?.parentElement ?? one);
    const { textDecorationLine: line } = getComputedStyle(link ?? one);
    const key = [color, fontSize, fontWeight, ground(one), Boolean(link), around, line].join();
    if (!chosen.has(key)) chosen.set(key, link ?? one);
  }
  const seen = ["color-contrast", "link-in-text-block"];
  const pale = await told([...chosen.values()], { runOnly: seen });
  if (theme === "dark") return pale;
  const rules = Object.fromEntries([...seen, "region"].map((one) => [one, { enabled: false }]));
  return [...pale, ...(await told(document, { rules }))];
}"""
# Colours are judged as they end, not on their way.
STILL = """() => {
  const style = document.createElement("style");
  style.textContent = "* { transition: none !important; animation: none !important; }";
  document.head.append(style);
}"""
# Focuses each thing that Tab reaches; it, or what it lies in, must look different then.
UNMARKED = """() => {
  const look = (one) => {
    const style = getComputedStyle(one);
    const ring = style.outlineStyle === "none" ? "" : style.outlineWidth + style.outlineColor;
    return [ring, style.boxShadow, style.backgroundColor, style.borderColor].join();
  };
  const around = (one) => [one, one.parentElement, one.parentElement.parentElement].map(look);
  const reached = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const shown = { visibilityProperty: true, opacityProperty: false };
  const unmarked = [];
  for (const one of document.querySelectorAll(reached)) {
    if (one.disabled || one.tabIndex < 0 || !one.checkVisibility(shown)) continue;
    document.activeElement.blur();
    const before = around(one);
    one.focus({ preventScroll: true });
    if (document.activeElement !== one) continue;
    const same = around(one).every((each, place) => each === before[place]);
    if (same) unmarked.push(one.outerHTML.slice(0, 120));
  }
  document.activeElement.blur();
  return unmarked;
}"""


def find_faults(tab: object) -> list[str]:
    """Return axe-core's serious and critical faults of a page, in light, then in dark."""
    if not tab.evaluate("Boolean(window.axe)"):
        tab.evaluate(AXE_SCRIPT)
        tab.evaluate(STILL)
    found = []
    for theme in ("dark", "light"):
        found += [f"{theme}: {fault}" for fault in tab.evaluate(FAULTS, theme)]
    return found


def find_nameless(tab: object) -> list[str]:
    """Return the figures and controls of the accessibility tree that have no name.

    An icon within a button or link is called by that.
    """
    session = tab.context.new_cdp_session(tab)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    roles = {node["nodeId"]: node.get("role", {}).get("value") for node in nodes}
    called = {"button", "link"}
    return [
        f"a {roles[node['nodeId']]} without a name"
        for node in nodes
        if not node["ignored"] and roles[node["nodeId"]] in NAMED
        and roles.get(node.get("parentId")) not in called
        and not node.get("name", {}).get("value", "").strip()
    ]  # fmt: skip


def find_unmarked(tab: object) -> list[str]:
    """Return what Tab reaches and does not show it."""
    tab.keyboard.press("Tab")  # else a browser takes the focus for a mouse's and marks nothing
    return tab.evaluate(UNMARKED)


def find_barriers(tab: object) -> list[str]:
    """Return all of it."""
    return [
        *find_faults(tab),
        *find_nameless(tab),
        *(f"focus does not show: {one}" for one in find_unmarked(tab)),
    ]


def check_sizes(tab: object, step: str) -> None:
    """Fail if a page, at this step, runs over its side or keeps a reader off, on phone or desk."""
    for size in SIZES.values():
        tab.set_viewport_size(size)
        assert tab.evaluate(OVERFLOW) <= 0, step
        assert find_barriers(tab) == [], step
