#include "data/garments.h"

#include <array>
#include <cmath>
#include <numbers>

namespace drape {
namespace {

using Outline = std::vector<Point>;
using Garment = std::vector<Part>;

// A shape symmetric about x = 0, from its right half, top to bottom.
Outline symmetric(Outline right) {
  for (std::size_t i = right.size(); i-- > 0;) right.push_back({-right[i].x, right[i].y});
  return right;
}

Outline mirrored(Outline outline) {
  for (Point& point : outline) point.x = -point.x;
  return outline;
}

// A tapered bar from a to b.
Outline bar(Point a, Point b, float width_a, float width_b) {
  const float length = std::hypot(b.x - a.x, b.y - a.y);
  const float nx = (a.y - b.y) / length / 2, ny = (b.x - a.x) / length / 2;
  return {{a.x + nx * width_a, a.y + ny * width_a},
          {b.x + nx * width_b, b.y + ny * width_b},
          {b.x - nx * width_b, b.y - ny * width_b},
          {a.x - nx * width_a, a.y - ny * width_a}};
}

Outline ellipse(Point center, float radius_x, float radius_y) {
  constexpr int kCorners = 14;
  Outline outline;
  for (int i = 0; i < kCorners; ++i) {
    const float angle = 2 * std::numbers::pi_v<float> * static_cast<float>(i) / kCorners;
    outline.push_back(
        {center.x + radius_x * std::cos(angle), center.y + radius_y * std::sin(angle)});
  }
  return outline;
}

void add_both_sides(Garment& garment, const Outline& right, float shade) {
  garment.push_back({right, shade});
  garment.push_back({mirrored(right), shade});
}

// What tells the four tops apart, and only by degrees.
struct Top {
  float sleeve;        // length, 1.4 reaches the hem
  float sleeve_angle;  // from the horizontal, radians
  float chest, hem_width, hem;
  float neck_depth;
  bool collar, front;
};

Garment draw_top(const Top& top, Draws& draws) {
  Garment garment;
  const float neck = draws.uniform(0.14f, 0.26f);
  const float shoulder = top.chest + draws.uniform(-0.04f, 0.04f);
  const float sleeve_width = draws.uniform(0.24f, 0.36f);
  const Point armpit = {shoulder - sleeve_width / 3, -0.62f};
  const Point cuff = {armpit.x + top.sleeve * std::cos(top.sleeve_angle),
                      armpit.y + top.sleeve * std::sin(top.sleeve_angle)};
  const float cuff_width = sleeve_width * draws.uniform(0.6f, 0.95f);
  add_both_sides(garment, bar(armpit, cuff, sleeve_width, cuff_width), draws.uniform(0.8f, 1));
  garment.push_back({symmetric({{neck, -0.88f},
                                {shoulder, -0.74f},
                                {top.chest, -0.3f},
                                {(top.chest + top.hem_width) / 2 - 0.03f, 0.2f},
                                {top.hem_width, top.hem}})});
  garment.push_back({ellipse({0, -0.92f}, neck, top.neck_depth), 0});
  if (top.front) {
    const float width = draws.uniform(0.03f, 0.08f);
    garment.push_back(
        {bar({0, top.neck_depth - 0.92f}, {0, top.hem}, width, width), draws.uniform(0.3f, 0.7f)});
  }
  if (top.collar) {
    const Point tip = {draws.uniform(0.02f, 0.1f), top.neck_depth - draws.uniform(0.72f, 0.8f)};
    add_both_sides(garment, bar({neck, -0.88f}, tip, 0.16f, 0.1f), draws.uniform(0.6f, 0.9f));
  }
  return garment;
}

Garment t_shirt(Draws& draws) {
  const float chest = draws.uniform(0.4f, 0.56f);
  return draw_top({.sleeve = draws.uniform(0.2f, 0.55f),
                   .sleeve_angle = draws.uniform(0.5f, 1.15f),
                   .chest = chest,
                   .hem_width = chest + draws.uniform(-0.06f, 0.08f),
                   .hem = draws.uniform(0.65f, 0.95f),
                   .neck_depth = draws.uniform(0.1f, 0.36f),
                   .collar = draws.chance(0.05f),
                   .front = draws.chance(0.04f)},
                  draws);
}

Garment pullover(Draws& draws) {
  const float chest = draws.uniform(0.4f, 0.54f);
  return draw_top({.sleeve = draws.uniform(1.1f, 1.5f),
                   .sleeve_angle = draws.uniform(1.0f, 1.4f),
                   .chest = chest,
                   .hem_width = chest + draws.uniform(-0.08f, 0.05f),
                   .hem = draws.uniform(0.6f, 0.9f),
                   .neck_depth = draws.uniform(0.08f, 0.24f),
                   .collar = draws.chance(0.12f),
                   .front = draws.chance(0.04f)},
                  draws);
}

Garment coat(Draws& draws) {
  const float chest = draws.uniform(0.42f, 0.56f);
  return draw_top({.sleeve = draws.uniform(1.2f, 1.6f),
                   .sleeve_angle = draws.uniform(1.1f, 1.42f),
                   .chest = chest,
                   .hem_width = chest + draws.uniform(-0.02f, 0.12f),
                   .hem = draws.uniform(0.78f, 1.0f),
                   .neck_depth = draws.uniform(0.12f, 0.4f),
                   .collar = draws.chance(0.6f),
                   .front = draws.chance(0.85f)},
                  draws);
}

Garment shirt(Draws& draws) {
  const float chest = draws.uniform(0.38f, 0.54f);
  const bool is_long = draws.chance(0.65f);
  return draw_top(
      {.sleeve = is_long ? draws.uniform(0.9f, 1.45f) : draws.uniform(0.25f, 0.6f),
       .sleeve_angle = is_long ? draws.uniform(0.95f, 1.38f) : draws.uniform(0.5f, 1.2f),
       .chest = chest,
       .hem_width = chest + draws.uniform(-0.08f, 0.06f),
       .hem = draws.uniform(0.65f, 0.95f),
       .neck_depth = draws.uniform(0.1f, 0.3f),
       .collar = draws.chance(0.8f),
       .front = draws.chance(0.6f)},
      draws);
}

Garment trouser(Draws& draws) {
  const float waist = draws.uniform(0.24f, 0.36f), hip = waist + draws.uniform(0.02f, 0.12f);
  const float ankle = draws.uniform(0.2f, 0.46f), length = draws.uniform(0.7f, 0.95f);
  const float gap = ankle * draws.uniform(0.1f, 0.6f), crotch = draws.uniform(-0.45f, -0.2f);
  Garment garment = {{symmetric({{waist, -0.92f}, {hip, -0.45f}, {ankle, length}})}};
  garment.push_back({{{0, crotch}, {gap, length + 0.1f}, {-gap, length + 0.1f}}, 0});
  if (draws.chance(0.6f)) {
    garment.push_back(
        {bar({-waist, -0.87f}, {waist, -0.87f}, 0.1f, 0.1f), draws.uniform(0.5f, 1.3f)});
  }
  return garment;
}

Garment dress(Draws& draws) {
  const float chest = draws.uniform(0.24f, 0.38f), waist = chest * draws.uniform(0.65f, 1);
  const float hem = draws.uniform(0.3f, 0.68f), waist_y = draws.uniform(-0.3f, 0.05f);
  const float strap = chest * draws.uniform(0.7f, 1);
  Garment garment;
  if (draws.chance(0.45f)) {
    const float length = draws.chance(0.5f) ? draws.uniform(0.2f, 0.4f) : draws.uniform(0.7f, 1.1f);
    const float angle = draws.uniform(0.9f, 1.35f);
    const Point top = {chest - 0.06f, -0.76f};
    const Point cuff = {top.x + length * std::cos(angle), top.y + length * std::sin(angle)};
    add_both_sides(garment, bar(top, cuff, 0.2f, 0.15f), draws.uniform(0.8f, 1));
  }
  garment.push_back({symmetric({{strap, -0.92f},
                                {chest, -0.55f},
                                {waist, waist_y},
                                {(waist + 2 * hem) / 3, 0.45f},
                                {hem, draws.uniform(0.75f, 0.98f)}})});
  garment.push_back({ellipse({0, -0.94f}, strap * 0.7f, draws.uniform(0.08f, 0.35f)), 0});
  if (draws.chance(0.4f)) {
    garment.push_back(
        {bar({-waist, waist_y}, {waist, waist_y}, 0.09f, 0.09f), draws.uniform(0.4f, 1.3f)});
  }
  return garment;
}

// Shoes point to the left. The sole, sometimes lighter or darker than the rest.
void add_sole(Garment& shoe, float toe_y, float heel_y, float thickness, Draws& draws) {
  shoe.push_back(
      {{{-0.93f, toe_y}, {0.85f, heel_y}, {0.85f, heel_y + thickness}, {-0.85f, toe_y + thickness}},
       draws.uniform(0.5f, 1.4f)});
}

Garment sandal(Draws& draws) {
  Garment shoe;
  const float heel = draws.chance(0.4f) ? draws.uniform(0.3f, 0.7f) : draws.uniform(0, 0.15f);
  const float toe_y = 0.4f, heel_y = toe_y - heel, thickness = draws.uniform(0.08f, 0.2f);
  add_sole(shoe, toe_y, heel_y, thickness, draws);
  if (heel > 0.2f) {
    shoe.push_back(
        {bar({0.72f, heel_y}, {0.78f, toe_y + thickness}, draws.uniform(0.1f, 0.3f), 0.1f)});
  }
  const int straps = 1 + static_cast<int>(draws.uniform(0, 3));
  for (int i = 0; i < straps; ++i) {
    const float x = -0.75f + 0.4f * static_cast<float>(i) + draws.uniform(-0.08f, 0.08f);
    const float rise = draws.uniform(0.3f, 0.6f), width = draws.uniform(0.1f, 0.26f);
    const Point peak = {x + 0.25f, toe_y - rise};
    shoe.push_back({bar({x, toe_y + 0.05f}, peak, width, width), draws.uniform(0.7f, 1)});
    shoe.push_back({bar(peak, {x + 0.45f, toe_y - heel / 3 + 0.05f}, width, width)});
  }
  if (draws.chance(0.6f)) {
    const Point ankle = {draws.uniform(0.35f, 0.5f), heel_y - draws.uniform(0.35f, 0.6f)};
    shoe.push_back({bar({0.3f, heel_y + 0.15f}, ankle, 0.09f, 0.09f)});
    shoe.push_back({bar(ankle, {0.82f, heel_y - 0.25f}, 0.09f, 0.09f)});
    shoe.push_back({bar({0.82f, heel_y - 0.25f}, {0.8f, heel_y + 0.05f}, 0.1f, 0.14f)});
  }
  return shoe;
}

Garment sneaker(Draws& draws) {
  Garment shoe;
  const float collar =
      draws.chance(0.15f) ? draws.uniform(-0.75f, -0.5f) : draws.uniform(-0.4f, -0.15f);
  const float tongue = collar - draws.uniform(0, 0.12f), toe = draws.uniform(-0.05f, 0.15f);
  const float vamp = draws.uniform(-0.35f, -0.15f);
  shoe.push_back({{{-0.9f, 0.35f},
                   {-0.88f, toe + 0.08f},
                   {-0.65f, toe},
                   {vamp, (toe + tongue) / 2},
                   {vamp + 0.3f, tongue},
                   {0.35f, collar + draws.uniform(0, 0.15f)},
                   {0.78f, collar},
                   {0.82f, 0.35f}}});
  add_sole(shoe, 0.25f, 0.25f, draws.uniform(0.1f, 0.25f), draws);
  const float lace_shade = draws.uniform(0.4f, 1.4f);
  for (int i = 0; i < 3; ++i) {
    const float t = 0.15f + 0.3f * static_cast<float>(i);
    const Point lace = {vamp + 0.3f * t, (toe + tongue) / 2 * (1 - t) + tongue * t};
    shoe.push_back(
        {bar({lace.x - 0.03f, lace.y + 0.02f}, {lace.x + 0.2f, lace.y + 0.16f}, 0.05f, 0.05f),
         lace_shade});
  }
  if (draws.chance(0.5f)) {
    const float x = draws.uniform(-0.05f, 0.4f);
    shoe.push_back(
        {bar({x - 0.15f, 0.2f}, {x + 0.15f, -0.1f}, 0.08f, 0.08f), draws.uniform(0.4f, 1.4f)});
  }
  return shoe;
}

Garment ankle_boot(Draws& draws) {
  Garment shoe;
  const float top = draws.uniform(-0.92f, -0.5f),
              heel = draws.chance(0.5f) ? draws.uniform(0.1f, 0.4f) : 0;
  const float front = draws.uniform(-0.2f, 0.1f), back = draws.uniform(0.65f, 0.82f);
  const float toe = draws.uniform(0, 0.15f), sole_y = 0.55f - heel / 2;
  shoe.push_back({{{-0.92f, sole_y},
                   {-0.88f, toe + 0.12f},
                   {-0.55f, toe},
                   {front - 0.05f, -0.2f},
                   {front, top},
                   {back, top + draws.uniform(-0.05f, 0.08f)},
                   {back - draws.uniform(0, 0.1f), 0},
                   {back, sole_y - heel / 2}}});
  add_sole(shoe, sole_y - 0.05f, sole_y - 0.05f - heel / 2, draws.uniform(0.08f, 0.16f), draws);
  if (heel > 0) {
    shoe.push_back(
        {bar({0.66f, sole_y - heel / 2}, {0.7f, sole_y + 0.1f}, 0.34f, draws.uniform(0.12f, 0.3f)),
         draws.uniform(0.6f, 1)});
  }
  if (draws.chance(0.4f)) {
    const float y = draws.uniform(-0.3f, 0.1f);
    shoe.push_back(
        {bar({front - 0.1f, y}, {back, y - 0.1f}, 0.09f, 0.09f), draws.uniform(0.4f, 1.3f)});
  }
  return shoe;
}

Garment bag(Draws& draws) {
  Garment garment;
  const float top_y = draws.uniform(-0.35f, 0.1f), bottom = draws.uniform(0.6f, 0.92f);
  const float top = draws.uniform(0.55f, 0.85f), low = draws.uniform(0.6f, 0.92f);
  if (draws.chance(0.85f)) {
    const float radius_x = top * draws.uniform(0.45f, 0.9f), radius_y = draws.uniform(0.3f, 0.75f);
    const float thickness = draws.uniform(0.07f, 0.16f);
    garment.push_back({ellipse({0, top_y}, radius_x, radius_y), draws.uniform(0.6f, 1)});
    garment.push_back({ellipse({0, top_y}, radius_x - thickness, radius_y - thickness), 0});
  }
  garment.push_back({symmetric(
      {{top, top_y}, {(top + low) / 2 + 0.04f, top_y / 2 + bottom / 2}, {low, bottom}})});
  if (draws.chance(0.5f)) {  // the flap
    const float edge = top_y + (bottom - top_y) * draws.uniform(0.25f, 0.6f);
    garment.push_back({bar({-top, edge}, {top, edge}, 0.06f, 0.06f), draws.uniform(0.3f, 0.7f)});
  }
  if (draws.chance(0.4f)) {  // the clasp
    garment.push_back({ellipse({0, top_y + 0.25f}, 0.12f, 0.1f), draws.uniform(0.2f, 1.5f)});
  }
  return garment;
}

}  // namespace

std::vector<Part> draw_garment(int label, Draws& draws) {
  constexpr std::array kDrawings = {t_shirt, trouser, pullover, dress, coat,
                                    sandal,  shirt,   sneaker,  bag,   ankle_boot};
  return kDrawings.at(static_cast<std::size_t>(label))(draws);
}

}  // namespace drape
