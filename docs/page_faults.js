/* What can be measured as wrong on a page as it stands: screenshots.py asks at each width. Gives lines to print.
   What text shows counts, and not what boxes say of themselves: a box may be too full by a pixel that nobody sees. */
() => {
  const found = [];
  const name = (element) =>
    `<${element.localName}${element.className.baseVal === undefined && element.className ? ` class="${element.className}"` : ""}>` +
    ` "${(element.textContent || element.value || "").trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  const say = (fault, element) => found.push(`${fault}: ${name(element)}`);
  const style = (element) => getComputedStyle(element);
  const isHidden = (element) =>
    !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) ||
    element.closest(".visually-hidden, .sw-skip, option, script, style, noscript, template, title") !== null;
  const scrolls = (element) => /auto|scroll/.test(style(element).overflowX);
  const ancestor = (element, test) => {
    let at = element;
    while (at && !test(at)) at = at.parentElement;
    return at;
  };
  // What a reader takes for the edge of something: a frame, a ground of its own, or where it is cut.
  const isBox = (element) => {
    const of = style(element);
    return of.display !== "inline" && (of.backgroundColor !== "rgba(0, 0, 0, 0)" || of.overflowX !== "visible" ||
      parseFloat(of.borderInlineEndWidth) > 0 || element.localName === "svg");
  };

  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push("wider than the screen");

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || isHidden(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 1);
    if (rects.length) texts.push({ element, words: walker.currentNode.data.trim(), rects });
  }

  for (const { element, words, rects } of texts) {
    const scale = element.ownerSVGElement ? element.getScreenCTM().a : 1;
    const size = parseFloat(style(element).fontSize) * scale;
    if (size < 11.9) say(`text of ${size.toFixed(1)} px`, element);
    const box = (ancestor(element, isBox) || document.documentElement).getBoundingClientRect();
    const isOut = (rect) => rect.left < box.left - 1 || rect.right > box.right + 1 ||
      rect.top < box.top - 5 || rect.bottom > box.bottom + 5;
    const isOff = (rect) => rect.left < -1 || rect.right > width + 1;
    const inScroller = ancestor(element, scrolls);
    if (!inScroller && rects.some(isOff)) say("off the screen", element);
    else if (!inScroller && rects.some(isOut)) say("out of its box", element);
    // "Read this." would read ".Read this" where the words are English and the line is Arabic.
    if (/[A-Za-z]/.test(words) && !/[\u0600-\u06ff]/.test(words) && /[.,:;!?…]$/.test(words) && style(element).direction === "rtl") {
      say("English that takes the direction of Arabic", element);
    }
  }

  const middle = ({ element, rects }) => rects.map((rect) => (
    { element, left: rect.left + 1, right: rect.right - 1, top: rect.top + rect.height / 4, bottom: rect.bottom - rect.height / 4 }
  ));
  const lines = texts.filter(({ element }) => !element.ownerSVGElement).flatMap(middle).sort((one, other) => one.top - other.top);
  lines.forEach((one, at) => {
    for (let next = at + 1; next < lines.length && lines[next].top < one.bottom; next += 1) {
      const other = lines[next];
      const apart = other.element === one.element || other.left >= one.right || other.right <= one.left;
      if (!apart) say(`runs into "${other.element.textContent.trim().slice(0, 40)}"`, one.element);
    }
  });

  for (const element of document.querySelectorAll("body *")) {
    const isTooFull = scrolls(element) && element.scrollWidth > element.clientWidth + 1;
    if (isTooFull && element.tabIndex < 0 && !isHidden(element)) say("scrolls sideways, and not by the keyboard", element);
  }

  // WCAG 2.5.8. A label belongs to what it names; a link within a sentence may be as high as its line.
  const isInSentence = (element) => style(element).display === "inline" &&
    [...element.parentElement.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    const boxes = [element, ...(element.labels || [])].map((one) => one.getBoundingClientRect());
    const isSmall = !boxes.some((box) => box.width >= 24 && box.height >= 24);
    if (isSmall && !isHidden(element) && !isInSentence(element)) {
      say(`target of ${boxes[0].width.toFixed(0)} x ${boxes[0].height.toFixed(0)} px`, element);
    }
  }

  const mains = [...document.querySelectorAll("main .sw-btn-main")].filter((button) => !isHidden(button));
  if (mains.length > 1) found.push(`${mains.length} main buttons`);
  return [...new Set(found)];
}
