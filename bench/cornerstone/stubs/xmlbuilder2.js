/** vtk.js asks for xmlbuilder2 in its XML readers, which nobody calls here; the real one needs modules of node. */

export function create() {
  throw new Error("XML is not read in this bundle.");
}
