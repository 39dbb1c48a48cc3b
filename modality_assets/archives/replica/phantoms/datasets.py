"""The datasets of phantoms: what each one shows, how it was acquired, and in which release it came.

Acquisition differs as it does in the wild: bits stored, sign, slopes, photometric interpretation, transfer
syntax and size are those that scanners of each kind write.
"""

from modality_assets.archives.replica.phantoms.acquisition import (
    EmissionScan,
    Grid,
    PhantomDataset,
    RadiographScan,
    ResonanceScan,
    Storage,
    TomographyScan,
)
from modality_assets.archives.replica.phantoms.computed_tomography import Tomograph
from modality_assets.archives.replica.phantoms.magnetic_resonance import (
    FLAIR,
    PROTON_DENSITY,
    T1,
    T1_CONTRAST,
    T1_FAT_SATURATED,
    T1_GRE,
    T2,
    T2_FAT_SATURATED,
    Magnet,
)
from modality_assets.archives.replica.phantoms.positron_emission import Camera
from modality_assets.archives.replica.phantoms.radiography import Radiograph

_PET = Storage(16, signed=True)  # scanners write 15 bits and a slope of its own for every slice

FIRST_RELEASE = (
    PhantomDataset(
        "phantom-lung-pet-ct",
        "Lung phantoms, PET/CT",
        "chest",
        "CHEST",
        "Orbis",
        (
            TomographyScan(
                Tomograph("soft", 16, outside_hu=-2000.0),
                Storage(16, signed=True),
                Grid(512, 440, 13, -110, 110),
                4,
                scouts=2,
            ),
            EmissionScan(Camera(), _PET, Grid(128, 520, 14, -120, 120), 4),
        ),
    ),
    PhantomDataset(
        "phantom-head-neck-pet-ct",
        "Head and neck phantoms, PET/CT",
        "head_neck",
        "HEADNECK",
        "Meridian",
        (
            TomographyScan(
                Tomograph("soft", 11, couch="flat"),
                Storage(12, intercept=-1024, syntax="implicit"),
                Grid(256, 330, 15, -170, 110),
                4,
            ),
            EmissionScan(Camera(blur_mm=5, counts=50), _PET, Grid(168, 420, 15, -180, 120), 4),
        ),
    ),
    PhantomDataset(
        "phantom-whole-body-pet",
        "Whole-body phantoms, PET",
        "trunk",
        None,
        "Orbis",
        (
            EmissionScan(
                Camera(counts=14, filter_mm=6), Storage(16, syntax="implicit"), Grid(192, 600, 15, -360, 540), 4
            ),
        ),
    ),
    PhantomDataset(
        "phantom-brain-pet-mr",
        "Brain phantoms, PET/MR",
        "brain",
        "BRAIN",
        "Helion",
        (
            EmissionScan(Camera(blur_mm=4.5, counts=60, filter_mm=4), _PET, Grid(256, 300, 14, -55, 75), 4),
            ResonanceScan(
                Magnet(3.0, 0.02, 0.45), (T1_GRE, FLAIR), Storage(12, level=820), Grid(192, 240, 7, -55, 70), 4
            ),
        ),
    ),
    PhantomDataset(
        "phantom-prostate-naf-pet",
        "Pelvic phantoms, fluoride PET",
        "pelvis",
        None,
        "Meridian",
        (EmissionScan(Camera("fluoride", 6.5, 22), _PET, Grid(144, 500, 15, -110, 130), 4),),
    ),
    PhantomDataset(
        "phantom-lymphoma-pet-ct",
        "Abdominal phantoms, PET/CT",
        "abdomen",
        "ABDOMEN",
        "Helion",
        (
            TomographyScan(
                Tomograph("soft", 22),
                Storage(16, signed=True, intercept=-1024, syntax="jpeg_lossless"),
                Grid(320, 460, 14, -90, 110),
                4,
            ),
            EmissionScan(
                Camera(blur_mm=7, counts=18), Storage(16, signed=True, syntax="rle"), Grid(128, 560, 14, -100, 120), 4
            ),
        ),
    ),
    PhantomDataset(
        "phantom-glioma-mr",
        "Brain phantoms, MR",
        "brain",
        "BRAIN",
        "Northfield",
        (
            ResonanceScan(
                Magnet(1.5, 0.03),
                (T1, T1_CONTRAST, T2, FLAIR),
                Storage(12, syntax="rle", level=640),
                Grid(256, 230, 4, -50, 65),
                4,
            ),
        ),
        captures=1,
        revised=(3, 1, 0),
    ),
    PhantomDataset(
        "phantom-prostate-mr",
        "Pelvic phantoms, MR",
        "pelvis",
        None,
        "Meridian",
        (
            ResonanceScan(
                Magnet(3.0, 0.035, 0.3),
                (T2, T1),
                Storage(12, syntax="implicit", level=410),
                Grid(320, 330, 7, -85, 70),
                4,
            ),
        ),
    ),
    PhantomDataset(
        "phantom-knee",
        "Knee phantoms, MR and radiographs",
        "knee",
        "KNEE",
        "Northfield",
        (
            ResonanceScan(
                Magnet(1.5, 0.03, surface_coil=True),
                (PROTON_DENSITY, T2_FAT_SATURATED),
                Storage(16, level=9000),
                Grid(256, 170, 7, -34, 34, "sagittal"),
                4,
            ),
            RadiographScan(
                "DX",
                Radiograph(65, 9000, 0.12),
                Storage(12, level=4095, syntax="jpeg_2000"),
                Grid(320, 240),
                20,
                (0, 35, 90),
            ),
        ),
    ),
    PhantomDataset(
        "phantom-breast",
        "Breast phantoms, MR and mammograms",
        "breast",
        "BREAST",
        "Orbis",
        (
            ResonanceScan(
                Magnet(1.5, 0.025, 0.5),
                (T1_FAT_SATURATED, T2),
                Storage(16, signed=True, level=1500),
                Grid(256, 370, 7, -48, 48),
                4,
            ),
            RadiographScan(
                "MG", Radiograph(28, 14000, 0.08, False), Storage(14, level=13000), Grid(384, 230), 15, (0, 0, 45, 45)
            ),
        ),
    ),
    PhantomDataset(
        "phantom-liver-ct-mr",
        "Liver phantoms, CT and MR",
        "abdomen",
        "LIVER",
        "Helion",
        (
            TomographyScan(
                Tomograph("soft", 13), Storage(12, intercept=-1024, syntax="jpeg_ls"), Grid(384, 420, 14, -70, 110), 4
            ),
            ResonanceScan(
                Magnet(1.5, 0.035, 0.4),
                (T1_GRE, T2_FAT_SATURATED),
                Storage(16, level=520, multi_frame=True),
                Grid(224, 420, 7, -70, 110),
                4,
            ),
        ),
    ),
    PhantomDataset(
        "phantom-chest-cr",
        "Chest phantoms, computed radiography",
        "chest",
        "CHEST",
        "Meridian",
        (RadiographScan("CR", Radiograph(110, 5000, 0.3), Storage(10, inverted=True, level=1000), Grid(384, 400), 29),),
    ),
    PhantomDataset(
        "phantom-chest-dx",
        "Chest phantoms, digital radiography",
        "chest",
        "CHEST",
        "Orbis",
        (
            RadiographScan(
                "DX", Radiograph(125, 9000, 0.22), Storage(14, level=12000, syntax="jpeg_lossless"), Grid(400, 430), 29
            ),
        ),
        withdrawn=3,
    ),
    PhantomDataset(
        "phantom-pelvis-fracture",
        "Pelvic phantoms, CT and radiographs",
        "pelvis",
        "PELVIS",
        "Northfield",
        (
            TomographyScan(
                Tomograph("sharp", 26, contrast=False),
                Storage(16, signed=True, syntax="big_endian", intercept=0),
                Grid(256, 430, 15, -100, 110),
                4,
            ),
            RadiographScan(
                "DX",
                Radiograph(80, 7000, 0.25),
                Storage(12, level=3900, inverted=True),
                Grid(320, 430),
                20,
                (0, 30, -30),
                0.9,
            ),
        ),
    ),
    PhantomDataset(
        "phantom-kidney-ct",
        "Kidney phantoms, CT",
        "abdomen",
        "KIDNEY",
        "Meridian",
        (
            TomographyScan(
                Tomograph("soft", 18, couch="curved"), Storage(16, intercept=-1000), Grid(256, 400, 15, -80, 90), 4
            ),
        ),
        truncated=(2, 6),
    ),
    PhantomDataset(
        "phantom-hand-cr",
        "Hand phantoms, computed radiography",
        "hand",
        "HAND",
        "Northfield",
        (RadiographScan("CR", Radiograph(52, 8000, 0.06), Storage(8, level=250), Grid(320, 270), 29, (0, 40)),),
    ),
)

SECOND_RELEASE = (
    PhantomDataset(
        "phantom-spine-ct-mr",
        "Spine phantoms, CT and MR",
        "abdomen",
        "SPINE",
        "Orbis",
        (
            TomographyScan(
                Tomograph("sharp", 30, contrast=False),
                Storage(12, intercept=-1024, syntax="jpeg_2000"),
                Grid(256, 220, 12, -80, 90),
                3,
            ),
            ResonanceScan(
                Magnet(1.5, 0.03, surface_coil=True),
                (T1, T2),
                Storage(12, level=700),
                Grid(256, 360, 6, -28, 28, "sagittal"),
                3,
            ),
        ),
        release=2,
    ),
    PhantomDataset(
        "phantom-mammography",
        "Breast phantoms, mammograms",
        "breast",
        "BREAST",
        "Meridian",
        (
            RadiographScan(
                "MG",
                Radiograph(30, 9000, 0.1, False),
                Storage(12, level=4000, inverted=True),
                Grid(320, 220),
                12,
                (0, 0, 45, 45),
            ),
        ),
        release=2,
    ),
)

THIRD_RELEASE = (
    PhantomDataset(
        "phantom-sarcoma-pet-mr",
        "Thigh and knee phantoms, PET/MR",
        "knee",
        "EXTREMITY",
        "Helion",
        (
            EmissionScan(Camera(blur_mm=5.5, counts=24), _PET, Grid(128, 300, 12, -60, 150), 3),
            ResonanceScan(
                Magnet(1.5, 0.03, 0.3), (T1, T2_FAT_SATURATED), Storage(12, level=900), Grid(256, 240, 6, -40, 130), 3
            ),
        ),
        release=3,
    ),
)

DATASETS = FIRST_RELEASE + SECOND_RELEASE + THIRD_RELEASE
