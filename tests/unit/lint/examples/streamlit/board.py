import pandas as pd
import streamlit as st


@st.cache_data
def table() -> pd.DataFrame:
    return pd.read_parquet("/data/metrics.parquet")


st.line_chart(table())
