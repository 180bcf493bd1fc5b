// Wide tables scroll in a box of their own, which the keyboard can reach.
document.querySelectorAll(".bd-article table").forEach((table) => {
  if (table.closest(".pst-scrollable-table-container, .wide")) return;
  const box = document.createElement("div");
  box.className = "wide";
  table.replaceWith(box);
  box.append(table);
});
// Sentences that a cell printed wrap; what has columns scrolls.
document.querySelectorAll(".cell_output pre").forEach((pre) => {
  pre.classList.toggle("wraps", !/\S {2,}\S/.test(pre.textContent));
});
document.querySelectorAll(".wide, .bd-article pre, .pst-scrollable-table-container").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
});
// A page opened from a folder may not read others, so results of the search stand there without a passage of the text.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined")
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
