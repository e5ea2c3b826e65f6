/**
 * The gauge: a staff with the flood on one side of it, high, and the visitors served on the other. Decoration:
 * it says nothing that the words do not. Colours are the style sheet's: w water, v visitors, l staff.
 */
export const DRAWING =
  '<svg class=g viewBox="0 0 240 56" aria-hidden=true focusable=false>' +
  // Crests and the water below them, up to the staff.
  '<path class=w d="M0 16q9.3-7 18.6 0t18.6 0 18.6 0 18.6 0 18.6 0 18.6 0V56H0z"/>' +
  // The staff with its marks, deeper every other time.
  '<path class=l d="M112 4v52M112 12h8m-8 8h5m-5 8h8m-8 8h5m-5 8h8"/>' +
  // Three people on the dry side: a head and a coat each.
  '<path class=v d="M146 55q0-16 7-16t7 16zm30 0q0-16 7-16t7 16zm30 0q0-16 7-16t7 16z"/>' +
  '<g class=v><circle cx=153 cy=32 r=5 /><circle cx=183 cy=32 r=5 /><circle cx=213 cy=32 r=5 /></g>' +
  '<path class=l d="M112 55.5h128"/></svg>'
