// A cooled turbine blade: a cambered aerofoil, twisted and tapered along its span, three cooling channels
// that run through it and through the root block below. Millimetres; dimension: 3.
//
//   gmsh -3 -bin -format msh41 blade.geo                        the mesh of the repository
//   gmsh -3 -bin -format msh41 -setnumber size 1.8 blade.geo    a finer one (edge length on the aerofoil, mm)
//
// x: axial (the axis of rotation), z: radial (along the span), y: circumferential.
SetFactory("Built-in");
DefineConstant[
  size = {2.4, Name "edge length on the aerofoil"}
  chord = {50, Name "chord at the hub"}
  span = {100, Name "span"}
  twist = {20, Name "twist from hub to tip, degrees"}
  stagger = {25, Name "stagger at the hub, degrees"}
  taper = {0.80, Name "chord at the tip over chord at the hub"}
  thickness = {0.20, Name "thickness over chord"}
  camber = {0.12, Name "camber over chord"}
  segments = {4, Name "pieces along the span"}
];
top_of_camber = 0.42;   // where along the chord the camber is largest
edge = 0.012;           // half thickness of the trailing edge over chord
centre = 0.42;          // the point of the chord on which the sections are stacked
height = 25;            // of the root block
length = 62;            // of the root block in x
width = 40;             // of the root block in y
nodes = 14;             // points on each side of a section
root_size = 2.4 * size;

// Channels: place along the chord and radius, both over the chord.
channel_place[] = {0.17, 0.385, 0.61};
channel_radius[] = {0.050, 0.056, 0.040};
channels = #channel_place[];

// (A macro call must end its line.)
// A point given on the chord line (over chord) of section `level`, stacked, tapered, turned and lifted.
Macro Place
  s_ = level / segments;
  c_ = chord * (1 + (taper - 1) * s_);
  a_ = -(stagger + twist * s_) * Pi / 180;
  u_ = c_ * (along - centre);
  v_ = c_ * (across - camber * 0.8);
  p = newp;
  Point(p) = {u_ * Cos(a_) - v_ * Sin(a_), u_ * Sin(a_) + v_ * Cos(a_), span * s_, local};
Return

// Camber line and its slope at t.
Macro Camber
  If (t < top_of_camber)
    yc = camber / top_of_camber^2 * (2 * top_of_camber * t - t^2);
    slope = Atan(2 * camber / top_of_camber^2 * (top_of_camber - t));
  Else
    yc = camber / (1 - top_of_camber)^2 * (1 - 2 * top_of_camber + 2 * top_of_camber * t - t^2);
    slope = Atan(2 * camber / (1 - top_of_camber)^2 * (top_of_camber - t));
  EndIf
Return

// Sections: leading edge, suction side and pressure side (splines to the trailing edge), trailing edge, channels.
For level In {0:segments}
  local = 0.6 * size;
  along = 0; across = 0;
  Call Place;
  lead[level] = p;
  suction_points[] = {lead[level]};
  pressure_points[] = {lead[level]};
  For i In {1:nodes}
    t = 1 - Cos(Pi / 2 * i / nodes);          // close together at the leading edge
    Call Camber;
    half = 5 * thickness * (0.2969 * Sqrt(t) - 0.1260 * t - 0.3516 * t^2 + 0.2843 * t^3 - 0.1036 * t^4) + edge * t;
    local = (i == nodes || i < 3) ? 0.6 * size : size;
    along = t - half * Sin(slope); across = yc + half * Cos(slope);
    Call Place;
    suction_points[] += p;
    along = t + half * Sin(slope); across = yc - half * Cos(slope);
    Call Place;
    pressure_points[] += p;
  EndFor
  trail_s[level] = suction_points[nodes];
  trail_p[level] = pressure_points[nodes];
  suction[level] = newl; Spline(newl) = suction_points[];
  pressure[level] = newl; Spline(newl) = pressure_points[];
  trail[level] = newl; Line(newl) = {trail_s[level], trail_p[level]};
  For k In {0:channels - 1}
    t = channel_place[k];
    Call Camber;
    local = 0.8 * size;
    along = t; across = yc;
    Call Place;
    middle = p;
    n = 4 * (channels * level + k);
    For q In {0:3}
      along = t + channel_radius[k] * Cos(q * Pi / 2);
      across = yc + channel_radius[k] * Sin(q * Pi / 2);
      Call Place;
      ring[n + q] = p;
    EndFor
    For q In {0:3}
      arc[n + q] = newl; Circle(newl) = {ring[n + q], middle, ring[n + (q + 1) % 4]};
    EndFor
  EndFor
EndFor

// Skins between neighbouring sections.
gas_suction[] = {}; gas_pressure[] = {}; gas_trail[] = {}; cooling_blade[] = {};
For level In {0:segments - 1}
  a = newl; Line(a) = {lead[level], lead[level + 1]};
  b = newl; Line(b) = {trail_s[level], trail_s[level + 1]};
  c = newl; Line(c) = {trail_p[level], trail_p[level + 1]};
  l = newll; Curve Loop(l) = {suction[level], b, -suction[level + 1], -a};
  s = news; Surface(s) = {l}; gas_suction[] += s;
  l = newll; Curve Loop(l) = {pressure[level], c, -pressure[level + 1], -a};
  s = news; Surface(s) = {l}; gas_pressure[] += s;
  l = newll; Curve Loop(l) = {trail[level], c, -trail[level + 1], -b};
  s = news; Surface(s) = {l}; gas_trail[] += s;
  For k In {0:channels - 1}
    n = 4 * (channels * level + k);
    m = 4 * (channels * (level + 1) + k);
    For q In {0:3}
      rise[q] = newl; Line(newl) = {ring[n + q], ring[m + q]};
    EndFor
    For q In {0:3}
      l = newll; Curve Loop(l) = {arc[n + q], rise[(q + 1) % 4], -arc[m + q], -rise[q]};
      s = news; Surface(s) = {l}; cooling_blade[] += s;
    EndFor
  EndFor
EndFor

// The root block under the first section, with the channels going straight down.
local = root_size;
For side In {0:1}
  z_ = -height * side;
  n = 4 * side;
  corner[n] = newp; Point(newp) = {-length / 2, -width / 2, z_, local};
  corner[n + 1] = newp; Point(newp) = {length / 2, -width / 2, z_, local};
  corner[n + 2] = newp; Point(newp) = {length / 2, width / 2, z_, local};
  corner[n + 3] = newp; Point(newp) = {-length / 2, width / 2, z_, local};
  For q In {0:3}
    rim[n + q] = newl; Line(newl) = {corner[n + q], corner[n + (q + 1) % 4]};
  EndFor
EndFor
sides[] = {};
For q In {0:3}
  post[q] = newl; Line(newl) = {corner[q], corner[4 + q]};
EndFor
For q In {0:3}
  l = newll; Curve Loop(l) = {rim[q], post[(q + 1) % 4], -rim[4 + q], -post[q]};
  s = news; Plane Surface(s) = {l}; sides[] += s;
EndFor
cooling_root[] = {}; hub_holes[] = {}; tip_holes[] = {}; bottom_holes[] = {};
For k In {0:channels - 1}
  m = 4 * (channels * segments + k);
  l = newll; Curve Loop(l) = {arc[4 * k], arc[4 * k + 1], arc[4 * k + 2], arc[4 * k + 3]}; hub_holes[] += l;
  l = newll; Curve Loop(l) = {arc[m], arc[m + 1], arc[m + 2], arc[m + 3]}; tip_holes[] += l;
  low[] = {};
  For q In {0:3}
    e[] = Extrude {0, 0, -height} { Curve{arc[4 * k + q]}; };
    low[] += e[0]; cooling_root[] += e[1];
  EndFor
  l = newll; Curve Loop(l) = low[]; bottom_holes[] += l;
EndFor
outline = newll; Curve Loop(outline) = {suction[0], trail[0], -pressure[0]};
crown = newll; Curve Loop(crown) = {suction[segments], trail[segments], -pressure[segments]};
upper = newll; Curve Loop(upper) = {rim[0], rim[1], rim[2], rim[3]};
lower = newll; Curve Loop(lower) = {rim[4], rim[5], rim[6], rim[7]};
hub = news; Plane Surface(hub) = {outline, hub_holes[]};
tip = news; Plane Surface(tip) = {crown, tip_holes[]};
platform = news; Plane Surface(platform) = {upper, outline};
bottom = news; Plane Surface(bottom) = {lower, bottom_holes[]};

l = newsl; Surface Loop(l) = {hub, tip, gas_suction[], gas_pressure[], gas_trail[], cooling_blade[]};
v = newv; Volume(v) = {l};
l = newsl; Surface Loop(l) = {hub, platform, bottom, sides[], cooling_root[]};
w = newv; Volume(w) = {l};

Physical Volume("airfoil") = {v};
Physical Volume("root") = {w};
Physical Surface("suction_side") = {gas_suction[]};
Physical Surface("pressure_side") = {gas_pressure[]};
Physical Surface("trailing_edge") = {gas_trail[]};
Physical Surface("tip") = {tip};
Physical Surface("cooling") = {cooling_blade[], cooling_root[]};
Physical Surface("platform") = {platform};
Physical Surface("shank") = {sides[]};
Physical Surface("root") = {bottom};

Mesh.Algorithm = 6;           // Frontal-Delaunay on the skins
Mesh.Algorithm3D = 1;         // Delaunay
Mesh.Optimize = 1;
Mesh.MeshSizeExtendFromBoundary = 1;
