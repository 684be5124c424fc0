// First on the page, so that no error and no request goes unseen: they are told in the attribute data-problems of the root.
const note = (() => {
  const root = document.documentElement;
  const problems = [];
  return (words) => { problems.push(words); root.dataset.problems = problems.join(" | "); };
})();
addEventListener("error", (event) => note(event.message || "a part of the page could not be loaded"), true);
addEventListener("unhandledrejection", (event) => note(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => note(`blocked ${event.blockedURI}`));
