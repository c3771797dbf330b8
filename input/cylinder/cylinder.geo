// Channel with a cylinder (Schaefer, Turek 1996). dimension: 2
// Quadrilaterals in rings around the cylinder, with a wake that stays fine; the ends are coarser.
DefineConstant[ n = {14, Name "cells along an eighth of the cylinder"} ];
H = 0.41; L = 2.2; x0 = 0.2; y0 = 0.2; r = 0.05; w = 0.15;
Point(1) = {x0, y0, 0};
// Eighths of the cylinder from 0 degrees on, and of the square of half width w around it.
For k In {0:7}
  a = k*Pi/4;
  c = Cos(a); s = Sin(a);
  m = (Fabs(c) > Fabs(s)) ? Fabs(c) : Fabs(s);
  Point(10 + k) = {x0 + r*c, y0 + r*s, 0};
  Point(20 + k) = {x0 + w*c/m, y0 + w*s/m, 0};
EndFor
For k In {0:7}
  j = (k + 1) % 8;
  Circle(10 + k) = {10 + k, 1, 10 + j};
  Line(20 + k) = {20 + k, 20 + j};
  Line(30 + k) = {10 + k, 20 + k};
EndFor
For k In {0:7}
  j = (k + 1) % 8;
  Curve Loop(10 + k) = {30 + k, 20 + k, -(30 + j), -(10 + k)};
  Plane Surface(10 + k) = {10 + k};
EndFor
// The rest of the channel: columns at x = 0, x0 - w, x0, x0 + w, L and rows at y = 0, y0 - w, y0, y0 + w, H.
xa = x0 - w; xb = x0 + w; ya = y0 - w; yb = y0 + w;
Point(40) = {0, 0, 0};  Point(41) = {xa, 0, 0};  Point(42) = {x0, 0, 0};  Point(43) = {xb, 0, 0};  Point(44) = {L, 0, 0};
Point(45) = {0, ya, 0}; Point(46) = {L, ya, 0};
Point(47) = {0, y0, 0}; Point(48) = {L, y0, 0};
Point(49) = {0, yb, 0}; Point(50) = {L, yb, 0};
Point(51) = {0, H, 0};  Point(52) = {xa, H, 0};  Point(53) = {x0, H, 0};  Point(54) = {xb, H, 0};  Point(55) = {L, H, 0};
// Bottom and top rows, from left to right.
Line(60) = {40, 41}; Line(61) = {41, 42}; Line(62) = {42, 43}; Line(63) = {43, 44};
Line(64) = {51, 52}; Line(65) = {52, 53}; Line(66) = {53, 54}; Line(67) = {54, 55};
// Inlet and outlet, upwards.
Line(70) = {40, 45}; Line(71) = {45, 47}; Line(72) = {47, 49}; Line(73) = {49, 51};
Line(74) = {44, 46}; Line(75) = {46, 48}; Line(76) = {48, 50}; Line(77) = {50, 55};
// Through the channel at ya, y0 and yb.
Line(80) = {45, 25}; Line(81) = {47, 24}; Line(82) = {49, 23};
Line(83) = {27, 46}; Line(84) = {20, 48}; Line(85) = {21, 50};
// Across it at xa, x0, xb.
Line(86) = {41, 25}; Line(87) = {42, 26}; Line(88) = {43, 27};
Line(89) = {23, 52}; Line(90) = {22, 53}; Line(91) = {21, 54};
Curve Loop(60) = {60, 86, -80, -70};   Plane Surface(60) = {60};
Curve Loop(61) = {61, 87, -25, -86};   Plane Surface(61) = {61};
Curve Loop(62) = {62, 88, -26, -87};   Plane Surface(62) = {62};
Curve Loop(63) = {63, 74, -83, -88};   Plane Surface(63) = {63};
Curve Loop(64) = {80, -24, -81, -71};  Plane Surface(64) = {64};
Curve Loop(65) = {81, -23, -82, -72};  Plane Surface(65) = {65};
Curve Loop(66) = {82, 89, -64, -73};   Plane Surface(66) = {66};
Curve Loop(67) = {-22, 90, -65, -89};  Plane Surface(67) = {67};
Curve Loop(68) = {-21, 91, -66, -90};  Plane Surface(68) = {68};
Curve Loop(69) = {85, 77, -67, -91};   Plane Surface(69) = {69};
Curve Loop(70) = {83, 75, -84, -27};   Plane Surface(70) = {70};
Curve Loop(71) = {84, 76, -85, -20};   Plane Surface(71) = {71};
Transfinite Curve{10:17, 20:27, 61, 62, 65, 66, 71, 72, 75, 76} = n + 1;
Transfinite Curve{30:37} = n + 1 Using Progression 1.15;
Transfinite Curve{60, 80, 81, 82, 64} = Floor(0.4*n + 0.5) + 1;
Transfinite Curve{70, 74, 86, 87, 88} = Floor(0.4*n + 0.5) + 1;
Transfinite Curve{73, 77, 89, 90, 91} = Floor(0.4*n + 0.5) + 1;
Transfinite Curve{63, 83, 84, 85, 67} = 4*n + 1 Using Progression 1.03;
Transfinite Surface{10:17, 60:71};
Recombine Surface{10:17, 60:71};
Physical Surface("channel") = {10:17, 60:71};
Physical Curve("inlet") = {70:73};
Physical Curve("outlet") = {74:77};
Physical Curve("walls") = {60:67};
Physical Curve("cylinder") = {10:17};
