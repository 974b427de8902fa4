/** The types that most modules name; each is defined, with its words, where it is imported from. */

type Page = import("./page.js").Page;
type View = import("./page.js").View;
type State = import("./state.js").State;
type Lab = import("./lab.js").Lab;
type Stop = import("./lab.js").Stop;
type Family = import("./lab.js").Family;
type Index = import("./lab.js").Index;
type Look = import("./lab.js").Look;
type Specimen = import("./lab.js").Specimen;
type Tensor = import("./safetensors.js").Tensor;
type Histogram = import("./measures.js").Histogram;
type Child = import("./dom.js").Child;
