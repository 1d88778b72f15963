/** The one rendering engine of a page, with the tools that our viewer has too: drag for window and pan, wheel for zoom. */

import { Enums, RenderingEngine, init } from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { registerLoader } from "./loader.js";

const ENGINE = "engine";
const TOOLS = "tools";
const BLACK = [0, 0, 0];

let engine = null;
let made = 0;

function start(onProcessor) {
  if (engine) return;
  // Rendering on the processor is one switch for the page, and must be set before the first engine.
  init({ rendering: { useCPURendering: onProcessor } });
  engine = new RenderingEngine(ENGINE);
  if (tools.ToolGroupManager.getToolGroup(TOOLS)) return;
  registerLoader();
  tools.init();
  const { MouseBindings } = tools.Enums;
  const bindings = [
    [tools.WindowLevelTool, MouseBindings.Primary],
    [tools.PanTool, MouseBindings.Secondary],
    [tools.ZoomTool, MouseBindings.Wheel],
  ];
  const group = tools.ToolGroupManager.createToolGroup(TOOLS);
  for (const [tool, mouseButton] of bindings) {
    tools.addTool(tool);
    group.addTool(tool.toolName);
    group.setToolActive(tool.toolName, { bindings: [{ mouseButton }] });
  }
}

/** A stack viewport in the element. @param {HTMLElement} element @param {boolean} onProcessor canvas 2D instead of WebGL */
export function enable(element, onProcessor) {
  start(onProcessor);
  const viewportId = `pane${made++}`;
  engine.enableElement({ viewportId, type: Enums.ViewportType.STACK, element, defaultOptions: { background: BLACK } });
  tools.ToolGroupManager.getToolGroup(TOOLS).addViewport(viewportId, ENGINE);
  return engine.getViewport(viewportId);
}

export function disable(port) {
  tools.ToolGroupManager.getToolGroup(TOOLS).removeViewports(ENGINE, port.id);
  engine.disableElement(port.id);
  if (engine.getViewports().length) return;
  engine.destroy();
  engine = null;
}

export function blacken(port) {
  engine.fillCanvasWithBackgroundColor(port.canvas, BLACK);
}

/** Fits all viewports to their elements, without losing their cameras. */
export function resize() {
  engine.resize(true, true);
}
