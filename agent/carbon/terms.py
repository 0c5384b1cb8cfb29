"""What columns, media and parts are called on a printed page: Chinese, then English. Pure."""

from __future__ import annotations

_CHINESE = {
    # columns
    "level": "层级", "account": "核算单元", "medium": "介质", "window": "周期", "label": "时间",
    "quantity": "数量", "unit": "单位", "kgce": "折标准煤 kgce", "yuan": "电度电费 元",
    "kgco2": "二氧化碳排放 kgCO₂", "kgco2e_life_cycle": "产品碳足迹 kgCO₂e", "measured": "实测",
    "estimated": "估算", "missing": "缺失", "marks": "标记", "factors": "因子", "lacks": "缺少",
    # levels and windows
    "plant": "全厂", "line": "产线", "meter": "计量点", "remainder": "未计量差额", "slot": "时段",
    "hour": "小时", "shift": "班次", "day": "日", "month": "月",
    # media
    "electricity": "电力", "reactive": "无功电量", "heat": "热力", "natural_gas": "天然气",
    "compressed_air": "压缩空气", "nitrogen": "氮气", "water": "水", "steam": "蒸汽", "methanol": "甲醇",
    "propane": "丙烷", "lpg": "液化石油气", "diesel": "柴油", "gasoline": "汽油", "kerosene": "煤油",
    "acetylene": "乙炔", "pieces": "件数", "mass": "产品质量",
    # the total, in the shape of GB/T 32150
    "fuel": "化石燃料燃烧", "process": "生产过程", "total": "合计",
    "electricity by market": "购入电力（基于市场）",
    # the month's bill
    "sharp": "尖峰", "peak": "高峰", "flat": "平段", "valley": "低谷", "deep_valley": "深谷",
    "sharp_kwh": "尖峰电量 kWh", "peak_kwh": "高峰电量 kWh", "flat_kwh": "平段电量 kWh",
    "valley_kwh": "低谷电量 kWh", "deep_valley_kwh": "深谷电量 kWh", "energy_yuan": "电度电费 元",
    "demand_kw": "最大需量 kW", "demand_yuan": "需量电费 元", "power_factor": "功率因数",
    "power_factor_yuan": "力调电费 元", "total_yuan": "合计 元",
    # factors
    "id": "编号", "value": "数值", "region": "地区", "data_year": "数据年份", "document": "依据文件",
    "certainty": "可信等级", "formula": "算式",
    # pages
    "energy": "能源报告", "carbon": "碳排放报告",
}  # fmt: skip


def both(name: str) -> str:
    """A name in Chinese and English; names of the plant's own stay as they are."""
    english = name.replace("_", " ")
    return f"{_CHINESE[name]} {english}" if name in _CHINESE else name


def chinese(name: str) -> str:
    """A name in Chinese where there is one."""
    return _CHINESE.get(name, name)
